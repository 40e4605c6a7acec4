package signature

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // known_hosts(5): names are hashed by HMAC-SHA1
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// ErrUnknown is in every error about a key that nobody is known to have, or not the one who is asked about.
var ErrUnknown = errors.New("the signer")

// Signers is who has which key, by files of SSH.
type Signers struct {
	entries []entry
}

// entry is one line of a file.
type entry struct {
	where      string // file:line
	patterns   []string
	key        ssh.PublicKey
	authority  bool // the key signs certificates
	revoked    bool
	known      bool     // of known_hosts, else of allowed_signers
	namespaces []string // patterns; empty is every one
	from, to   time.Time
}

// Known is who a key belongs to.
type Known struct {
	Principal string // the name that the file or the certificate has
	By        string // file:line
}

// Empty says whether there is nobody.
func (s *Signers) Empty() bool { return len(s.entries) == 0 }

// Who says whom a key belongs to, if that is one of the names. A name is that of a host: of known_hosts and of the certificates of hosts also
// a longer one fits that begins with it and a dot, as hosts that call themselves by the short one have. Certificates have to be valid now.
func (s *Signers) Who(key ssh.PublicKey, names []string, namespace string, now time.Time) (*Known, error) {
	cert, _ := key.(*ssh.Certificate)
	for i := range s.entries {
		e := &s.entries[i]
		if e.revoked && (equal(e.key, key) || cert != nil && (equal(e.key, cert.Key) || equal(e.key, cert.SignatureKey))) {
			return nil, fmt.Errorf("%w: %s: the key %s is revoked", ErrUnknown, e.where, Fingerprint(key))
		}
	}
	why := fmt.Errorf("%w: nobody is known to have the key %s", ErrUnknown, Fingerprint(key))
	for i := range s.entries {
		e := &s.entries[i]
		if e.revoked || e.authority != (cert != nil) {
			continue
		}
		var k *Known
		var err error
		if cert != nil {
			k, err = e.certified(cert, names, namespace, now)
		} else {
			k, err = e.has(key, names, namespace, now)
		}
		if k != nil {
			return k, nil
		}
		if err != nil {
			why = fmt.Errorf("%w: %s: %w", ErrUnknown, e.where, err)
		}
	}
	return nil, why
}

// has says whether the entry is about a key, and about one of the names. It is nil, nil for another key.
func (e *entry) has(key ssh.PublicKey, names []string, namespace string, now time.Time) (*Known, error) {
	if !equal(e.key, key) {
		return nil, nil
	}
	if err := e.permits(namespace, now); err != nil {
		return nil, err
	}
	for _, name := range names {
		if p := e.literal(name); p != "" {
			return &Known{Principal: p, By: e.where}, nil
		}
	}
	return nil, fmt.Errorf("the key %s is of %s, not of %s", Fingerprint(key), strings.Join(e.patterns, ","), strings.Join(names, " or "))
}

// certified says whether the entry is the authority of a certificate, which has one of the names. It is nil, nil for that of another.
func (e *entry) certified(cert *ssh.Certificate, names []string, namespace string, now time.Time) (*Known, error) {
	if !equal(e.key, cert.SignatureKey) {
		return nil, nil
	}
	if err := e.permits(namespace, now); err != nil {
		return nil, err
	}
	kind, what := uint32(ssh.UserCert), "a user" // as ssh-keygen -Y verify wants it
	if e.known {
		kind, what = ssh.HostCert, "a host"
	}
	if cert.CertType != kind {
		return nil, fmt.Errorf("the certificate %q is not that of %s", cert.KeyId, what)
	}
	check := ssh.CertChecker{Clock: func() time.Time { return now }}
	for _, principal := range cert.ValidPrincipals {
		if !slices.ContainsFunc(names, func(name string) bool { return named(principal, name, e.known) }) || !e.covers(principal) {
			continue
		}
		if err := check.CheckCert(principal, cert); err != nil {
			return nil, fmt.Errorf("the certificate %q: %w", cert.KeyId, err)
		}
		return &Known{Principal: principal, By: e.where}, nil
	}
	return nil, fmt.Errorf("the certificate %q is of %q, not of %s", cert.KeyId, cert.ValidPrincipals, strings.Join(names, " or "))
}

// permits says why the entry does not hold for a namespace, or not now.
func (e *entry) permits(namespace string, now time.Time) error {
	if len(e.namespaces) > 0 && !slices.ContainsFunc(e.namespaces, func(p string) bool { return glob(p, namespace) }) {
		return fmt.Errorf("the key is not for the namespace %s", namespace)
	}
	if !e.from.IsZero() && now.Before(e.from) || !e.to.IsZero() && !now.Before(e.to) {
		return errors.New("the key is not valid now")
	}
	return nil
}

// literal is the name in the entry that is that of a host, "" if there is none. Patterns are none: a key that several hosts have tells
// none of them.
func (e *entry) literal(name string) string {
	for _, p := range e.patterns {
		switch {
		case strings.HasPrefix(p, "|"):
			if hashed(p, name) {
				return name
			}
		case strings.ContainsAny(p, "*?!"):
		case named(portless(p), name, e.known):
			return portless(p)
		}
	}
	return ""
}

// covers says whether a pattern of the entry has a name, and none excludes it.
func (e *entry) covers(name string) bool {
	found := false
	for _, p := range e.patterns {
		not, is := strings.CutPrefix(p, "!")
		if is && glob(not, name) {
			return false
		}
		found = found || !is && glob(p, name)
	}
	return found
}

// portless is the name in [name]:port.
func portless(pattern string) string {
	if inner, _, ok := strings.Cut(pattern, "]:"); ok && strings.HasPrefix(inner, "[") {
		return inner[1:]
	}
	return pattern
}

// named says whether a name of a host in a file is that which a host has: the same, or if the file is of hosts a longer one with a domain.
func named(principal, name string, hosts bool) bool {
	if principal == name || principal == strings.ToLower(name) {
		return true
	}
	if _, err := netip.ParseAddr(principal); err == nil || !hosts {
		return false
	}
	first, _, more := strings.Cut(principal, ".")
	return more && first != "" && (first == name || first == strings.ToLower(name))
}

// glob says whether a pattern of SSH, which knows * and ?, has a name.
func glob(pattern, name string) bool {
	pattern = portless(pattern)
	if strings.ContainsAny(pattern, `[\/`) || strings.Contains(name, "/") { // of path.Match alone
		return false
	}
	ok, err := path.Match(pattern, name)
	return err == nil && ok
}

// hashed says whether a name of known_hosts that was hashed (|1|salt|hash) is that one.
func hashed(pattern, name string) bool {
	salt, sum, ok := unhash(pattern)
	if !ok {
		return false
	}
	m := hmac.New(sha1.New, salt)
	m.Write([]byte(strings.ToLower(name)))
	return hmac.Equal(m.Sum(nil), sum)
}

func unhash(pattern string) (salt, sum []byte, ok bool) {
	parts := strings.Split(pattern, "|")
	if len(parts) != 4 || parts[0] != "" || parts[1] != "1" {
		return nil, nil, false
	}
	salt, err1 := base64.StdEncoding.Strict().DecodeString(parts[2])
	sum, err2 := base64.StdEncoding.Strict().DecodeString(parts[3])
	return salt, sum, err1 == nil && err2 == nil && len(salt) == sha1.Size && len(sum) == sha1.Size
}

// Fingerprint is that of a key, as ssh-keygen -l prints it; of a certificate that of the key that it is about.
func Fingerprint(key ssh.PublicKey) string {
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	return ssh.FingerprintSHA256(key)
}

func equal(a, b ssh.PublicKey) bool { return bytes.Equal(a.Marshal(), b.Marshal()) }
