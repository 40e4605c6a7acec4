// Package fleet judges the snapshots of many hosts in one run, each by itself and none kept in memory: it finds the files, asks who a
// snapshot is from and whether it is of now, has it judged, and adds up what came of all. A host that was expected and is missing, or whose
// snapshot is refused, is a host of which nothing is known: it never counts as one that passed.
package fleet

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/signature"
	"github.com/ringfence/ringfence/snapshot"
)

// Bounds of what one run reads.
const (
	maxSnapshots = 100_000
	maxStream    = 64 << 30 // bytes of one stream, unpacked
)

// document is one snapshot as it was found, or why it could not be read.
type document struct {
	file string
	text []byte
	err  error

	signed    []byte // the bytes that the signature is of: the file as it is, or unpacked
	signature []byte // nil if there is none
}

// isSnapshot says whether a file in a directory is taken for a snapshot, by its name.
func isSnapshot(name string) bool {
	name = strings.TrimSuffix(name, ".gz")
	return strings.HasSuffix(name, ".json") || isLines(name)
}

// isLines says whether a file has several snapshots, by its name.
func isLines(name string) bool { return strings.HasSuffix(strings.TrimSuffix(name, ".gz"), ".jsonl") }

// documents are the snapshots that arguments stand for: files, directories, patterns, and - for standard input. An error is that of an
// argument, and ends them; that of one file is in its document.
func documents(args []string, stdin io.Reader, withSignature bool) iter.Seq2[*document, error] {
	return func(yield func(*document, error) bool) {
		n := 0
		give := func(d *document) bool {
			if n++; n > maxSnapshots {
				yield(nil, fmt.Errorf("snapshot: more than %d of them", maxSnapshots))
				return false
			}
			return yield(d, nil)
		}
		for _, arg := range args {
			if arg == "-" {
				if !stream("-", stdin, give) {
					return
				}
				continue
			}
			files, err := host.Named(arg, isSnapshot)
			if err != nil {
				yield(nil, fmt.Errorf("snapshot: %w", err))
				return
			}
			for _, file := range files {
				if !one(file, withSignature, give) {
					return
				}
			}
		}
	}
}

// one gives what is in a file.
func one(file string, withSignature bool, give func(*document) bool) bool {
	f, err := host.OpenRegular(file)
	if err != nil {
		return give(&document{file: file, err: err})
	}
	defer f.Close()
	if isLines(file) {
		return stream(file, f, give)
	}
	d := &document{file: file}
	raw, err := io.ReadAll(io.LimitReader(f, snapshot.MaxSize+1))
	if err == nil && len(raw) > snapshot.MaxSize {
		err = snapshot.ErrTooLarge
	}
	if err == nil {
		d.text, err = snapshot.Unpack(raw)
	}
	if err == nil && withSignature {
		err = d.findSignature(raw)
	}
	d.err = err
	return give(d)
}

// findSignature reads FILE.sig, and for a packed file also the signature of what is in it, which is beside it without .gz.
func (d *document) findSignature(raw []byte) error {
	places := map[string][]byte{d.file + ".sig": raw}
	names := []string{d.file + ".sig"}
	if plain, ok := strings.CutSuffix(d.file, ".gz"); ok {
		places[plain+".sig"] = d.text
		names = append(names, plain+".sig")
	}
	for _, name := range names {
		f, err := host.OpenRegular(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("signature: %w", err)
		}
		b, err := io.ReadAll(io.LimitReader(f, signature.MaxSize+1))
		f.Close()
		if err != nil {
			return fmt.Errorf("signature: %w", err)
		}
		d.signed, d.signature = places[name], b
		return nil
	}
	return nil
}

// stream gives the snapshots that stand one after another in a stream, which can be packed. They have no signatures.
func stream(name string, r io.Reader, give func(*document) bool) bool {
	in := bufio.NewReaderSize(r, 64<<10)
	if head, err := in.Peek(3); err == nil && snapshot.Packed(head) {
		z, err := gzip.NewReader(in)
		if err != nil {
			return give(&document{file: name, err: fmt.Errorf("gzip: %w", err)})
		}
		in = bufio.NewReaderSize(z, 64<<10)
	}
	in = bufio.NewReaderSize(io.LimitReader(in, maxStream), 64<<10)
	for i := 1; ; i++ {
		text, err := next(in)
		if errors.Is(err, io.EOF) {
			return i > 1 || give(&document{file: name, err: errors.New("it has no snapshot")})
		}
		if !give(&document{file: fmt.Sprintf("%s#%d", name, i), text: text, err: err}) {
			return false
		}
		if err != nil {
			return true
		}
	}
}

// next is the next object of a stream of JSON, as text; whether it is JSON is seen by who reads it. It is io.EOF at the end.
func next(in *bufio.Reader) ([]byte, error) {
	var out []byte
	depth, quoted, escaped := 0, false, false
	for {
		if _, err := in.Peek(1); err != nil {
			break
		}
		b, err := in.Peek(in.Buffered())
		if err != nil {
			break
		}
		if len(out) == 0 {
			blank := len(b) - len(bytes.TrimLeft(b, " \t\r\n"))
			if blank > 0 {
				_, _ = in.Discard(blank)
				continue
			}
			if b[0] != '{' {
				return nil, errors.New("not a snapshot: it does not begin with {")
			}
		}
		for i, c := range b {
			switch {
			case escaped:
				escaped = false
			case quoted:
				escaped, quoted = c == '\\', c != '"'
			case c == '"':
				quoted = true
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				if depth--; depth == 0 {
					out = append(out, b[:i+1]...)
					_, _ = in.Discard(i + 1)
					return out, nil
				}
			}
		}
		out = append(out, b...)
		_, _ = in.Discard(len(b))
		if len(out) > snapshot.MaxSize {
			return nil, snapshot.ErrTooLarge
		}
	}
	if _, err := in.Peek(1); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	if len(out) == 0 {
		return nil, io.EOF
	}
	return nil, errors.New("not a snapshot: it ends early")
}

// nameOf is what a file is called by, if what is in it does not say who it is about.
func nameOf(file string) string {
	base := filepath.Base(file)
	for _, end := range []string{".gz", ".json"} {
		base = strings.TrimSuffix(base, end)
	}
	return base
}
