package fleet

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/reports"
	"github.com/ringfence/ringfence/signature"
	"github.com/ringfence/ringfence/snapshot"
)

// Keep is how a snapshot of this host is kept, for somebody who judges it elsewhere.
type Keep struct {
	File  string // "" is nowhere; one whose name ends in .gz is packed
	Key   string // private key of the host by which it is signed, "" for none
	Nonce string // what who asked for it gave

	signer ssh.Signer
}

// Flags defines the flags that say how the snapshot is kept.
func (k *Keep) Flags(c *cobra.Command) {
	c.Flags().StringVarP(&k.File, "output", "o", "", "write to this `file` (mode 0600) instead of standard output; packed if its name ends in .gz")
	c.Flags().StringVar(&k.Key, "sign", "", "also write FILE.sig, a signature by this private `key` of the host, such as /etc/ssh/ssh_host_ed25519_key")
	c.Flags().StringVar(&k.Nonce, "nonce", "", "put this `text` into the snapshot, which who asked for it compares (audit --nonce)")
}

// maxKey bounds a private key and a certificate, in bytes.
const maxKey = 64 << 10

// Check reads the key, and refuses what cannot be done, before anything is collected.
// Inputs are files that are read: none is written over.
func (k *Keep) Check(inputs ...string) error {
	if format, file, ok := strings.Cut(k.File, "="); k.File == "-" || ok && format == "json" {
		return fmt.Errorf("output %q: want FILE alone, such as %s; without --output it is written to standard output", k.File, cmp.Or(file, "host.json"))
	}
	if k.Key != "" && k.File == "" {
		return errors.New("--sign wants --output FILE: the signature becomes FILE.sig")
	}
	if k.Key != "" {
		inputs = append(inputs, k.Key, k.Key+"-cert.pub", k.Key+".pub")
	}
	for _, file := range []string{k.File, k.File + ".sig"} {
		if err := reports.Lost(k.File, file, inputs); err != nil && k.File != "" {
			return err
		}
	}
	if len(k.Nonce) > 200 || strings.ContainsFunc(k.Nonce, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("nonce: want at most 200 letters, digits and signs without blanks")
	}
	if k.Key == "" {
		return nil
	}
	key, err := host.ReadTrusted(k.Key, maxKey)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	cert, err := host.ReadTrusted(k.Key+"-cert.pub", maxKey)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sign: %w", err)
	}
	if k.signer, err = signature.Signer(key, cert); err != nil {
		return fmt.Errorf("sign: %s: %w", k.Key, err)
	}
	return nil
}

// text is the snapshot as it is kept.
func (k *Keep) text(s *snapshot.Snapshot) ([]byte, error) {
	s.Nonce = k.Nonce
	var b bytes.Buffer
	if err := s.Write(&b); err != nil {
		return nil, err
	}
	if !strings.HasSuffix(k.File, ".gz") {
		return b.Bytes(), nil
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed) // without a name and a time: the same snapshot gives the same bytes
	_, err := z.Write(b.Bytes())
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, fmt.Errorf("write snapshot: %w", err)
	}
	return packed.Bytes(), nil
}

// Write writes the snapshot to its file and, with a key, the signature beside it: both or none. Without a file tell gets it.
func (k *Keep) Write(s *snapshot.Snapshot, tell func(text []byte, json bool) error) error {
	text, err := k.text(s)
	if err != nil {
		return err
	}
	if k.File == "" {
		err = tell(text, true)
	} else {
		err = k.save(text)
	}
	if err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

func (k *Keep) save(text []byte) error {
	files := map[string][]byte{k.File: text}
	if k.signer != nil {
		sig, err := signature.Sign(text, signature.Namespace, k.signer)
		if err != nil {
			return err
		}
		files[k.File+".sig"] = sig
	}
	return host.WriteFiles(files)
}
