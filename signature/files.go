package signature

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// MaxSigners bounds a file of signers in bytes; known_hosts of 10,000 hosts with three keys each is below 10 MB.
const MaxSigners = 16 << 20

// ErrSigners is in every error of reading a file of signers.
var ErrSigners = errors.New("signers")

// unread are types of keys that a file can have and that no snapshot is signed by.
var unread = []string{"ssh-dss", "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"}

// AddKnownHosts adds what a file of the form of known_hosts says (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT): hosts and their keys, authorities of
// the certificates of hosts (@cert-authority) and keys that are revoked (@revoked). A line that is wrong is an error: it can be one that was
// damaged.
func (s *Signers) AddKnownHosts(file string, text []byte) error {
	return s.add(file, text, func(fields []string) (*entry, error) {
		e := &entry{known: true}
		switch fields[0] {
		case "@cert-authority":
			e.authority = true
		case "@revoked":
			e.revoked = true
		default:
			if strings.HasPrefix(fields[0], "@") {
				return nil, fmt.Errorf("marker %q: want @cert-authority or @revoked", fields[0])
			}
			fields = append([]string{""}, fields...)
		}
		if len(fields) < 4 {
			return nil, errors.New("want names, the type of a key and the key")
		}
		e.patterns = strings.Split(fields[1], ",")
		return e.withKey(fields[2], fields[3])
	})
}

// AddAllowed adds what a file of the form of allowed_signers says (ssh-keygen(1), ALLOWED SIGNERS).
func (s *Signers) AddAllowed(file string, text []byte) error {
	return s.add(file, text, func(fields []string) (*entry, error) {
		e := &entry{}
		if len(fields) < 3 {
			return nil, errors.New("want names, the type of a key and the key")
		}
		e.patterns = strings.Split(fields[0], ",")
		if !isType(fields[1]) {
			if len(fields) < 4 {
				return nil, fmt.Errorf("%q is no type of a key", fields[1])
			}
			if err := e.options(fields[1]); err != nil {
				return nil, err
			}
			fields = fields[1:]
		}
		return e.withKey(fields[1], fields[2])
	})
}

// add reads a file line by line.
func (s *Signers) add(file string, text []byte, one func([]string) (*entry, error)) error {
	if len(text) > MaxSigners {
		return fmt.Errorf("%w: %s: larger than %d MiB", ErrSigners, file, MaxSigners>>20)
	}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		l := strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r")
		if strings.ContainsFunc(l, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return fmt.Errorf("%w: %s:%d: a control character", ErrSigners, file, n)
		}
		l = strings.TrimLeft(l, " \t")
		if l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		e, err := one(split(l))
		if err == nil && e != nil {
			err = e.named()
		}
		if err != nil {
			return fmt.Errorf("%w: %s:%d: %w", ErrSigners, file, n, err)
		}
		if e != nil {
			e.where = fmt.Sprintf("%s:%d", file, n)
			s.entries = append(s.entries, *e)
		}
	}
	return nil
}

// split parts a line at blanks that are not in quotes.
func split(line string) (out []string) {
	word, quoted := "", false
	for _, r := range line {
		switch {
		case r == '"':
			quoted = !quoted
			word += `"`
		case (r == ' ' || r == '\t') && !quoted:
			if word != "" {
				out = append(out, word)
			}
			word = ""
		default:
			word += string(r)
		}
	}
	if word != "" {
		out = append(out, word)
	}
	return out
}

// named refuses names that no host has.
func (e *entry) named() error {
	for _, p := range e.patterns {
		if strings.HasPrefix(p, "|") {
			if _, _, ok := unhash(p); !ok {
				return fmt.Errorf("name %.80q: it is not |1|salt|hash", p)
			}
			continue
		}
		p = strings.TrimPrefix(p, "!")
		if p == "" || strings.Trim(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:*?[]@%") != "" {
			return fmt.Errorf("name %.80q: no host or principal has it", p)
		}
	}
	return nil
}

func isType(word string) bool {
	return slices.Contains(unread, word) || slices.Contains([]string{
		ssh.KeyAlgoRSA, ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
	}, word)
}

// withKey adds the key. It is nil, nil for one of a type that signs no snapshot.
func (e *entry) withKey(kind, text string) (*entry, error) {
	if !isType(kind) {
		return nil, fmt.Errorf("%.80q is no type of a key", kind)
	}
	if strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("the key has a line break")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("the key: %w", err)
	}
	if slices.Contains(unread, kind) {
		return nil, nil
	}
	if e.key, err = ssh.ParsePublicKey(b); err != nil {
		return nil, fmt.Errorf("the key: %w", err)
	}
	if e.key.Type() != kind || !bytes.Equal(e.key.Marshal(), b) {
		return nil, fmt.Errorf("the key is none of type %s", kind)
	}
	return e, nil
}

// options reads the options of a line of allowed_signers.
func (e *entry) options(text string) error {
	for text != "" {
		name, rest, value := text, "", ""
		if at := strings.IndexAny(text, `,=`); at >= 0 {
			name, rest = text[:at], text[at:]
		}
		if after, ok := strings.CutPrefix(rest, `="`); ok {
			if value, rest, ok = strings.Cut(after, `"`); !ok || value == "" {
				return fmt.Errorf("option %s: want a value in quotes", name)
			}
		} else if strings.HasPrefix(rest, "=") {
			return fmt.Errorf("option %s: want a value in quotes", name)
		}
		if err := e.option(name, value); err != nil {
			return err
		}
		if text = strings.TrimPrefix(rest, ","); rest != "" && (text == rest || text == "") {
			return fmt.Errorf("after option %s: %.80q", name, rest)
		}
	}
	return nil
}

func (e *entry) option(name, value string) (err error) {
	switch {
	case name == "cert-authority" && value == "":
		e.authority = true
	case name == "namespaces" && value != "":
		e.namespaces = strings.Split(value, ",")
	case name == "valid-after" && value != "":
		e.from, err = moment(value)
	case name == "valid-before" && value != "":
		e.to, err = moment(value)
	default:
		return fmt.Errorf("%.80q is no type of a key, and no option", name)
	}
	return err
}

// moment is a time as ssh-keygen reads it: YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS in local time, or with a Z behind it in UTC.
func moment(text string) (time.Time, error) {
	digits, utc := strings.CutSuffix(text, "Z")
	place := time.Local //nolint:gosmopolitan // ssh-keygen(1): times without Z are local
	if utc {
		place = time.UTC
	}
	for _, form := range []string{"20060102", "200601021504", "20060102150405"} {
		if len(digits) == len(form) {
			t, err := time.ParseInLocation(form, digits, place)
			if err != nil {
				return t, fmt.Errorf("time %q: want YYYYMMDD[HHMM[SS]][Z]", text)
			}
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %q: want YYYYMMDD[HHMM[SS]][Z]", text)
}
