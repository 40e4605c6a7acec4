// Package signature makes and verifies signatures of files by SSH keys, as "ssh-keygen -Y" does (PROTOCOL.sshsig of OpenSSH), and finds out
// by files that SSH has anyway who a key belongs to: known_hosts, allowed_signers and certificates of an SSH CA.
//
// A signature shows which key signed which bytes for which purpose (its namespace). It does not show that what the bytes say is true, nor when
// they were signed.
//
// Everything that is read is hostile and has one form: a byte that is changed anywhere makes an error, also one that other readers overlook.
package signature

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// Namespace is what signatures of snapshots are for: one that was made for something else does not hold.
const Namespace = "snapshot@ringfence"

// MaxSize bounds a signature file in bytes: one with a certificate and an RSA key of 16,384 bits is below 10 kB.
const MaxSize = 64 << 10

// ErrSignature is in every error about a signature that does not hold.
var ErrSignature = errors.New("signature")

// The parts of the format.
const (
	magic      = "SSHSIG"
	armorBegin = "-----BEGIN SSH SIGNATURE-----\n"
	armorEnd   = "-----END SSH SIGNATURE-----\n"
	armorWidth = 70
)

// envelope is the signature file, without its magic.
type envelope struct {
	Version   uint32
	PublicKey []byte
	Namespace string
	Reserved  string
	Hash      string
	Signature []byte
}

// signed is what is signed, without its magic.
type signed struct {
	Namespace string
	Reserved  string
	Hash      string
	Digest    []byte
}

// Verify says which key made an armoured signature of a message for a namespace. The key can be a certificate. Who it belongs to is another
// question.
func Verify(message []byte, namespace string, armored []byte) (ssh.PublicKey, error) {
	e, err := parse(armored)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if e.Namespace != namespace {
		return nil, fmt.Errorf("%w: it is for the namespace %q, want %q", ErrSignature, e.Namespace, namespace)
	}
	key, err := ssh.ParsePublicKey(e.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("%w: its key: %w", ErrSignature, err)
	}
	if !bytes.Equal(key.Marshal(), e.PublicKey) {
		return nil, fmt.Errorf("%w: its key is not in the form of the key", ErrSignature)
	}
	sig := new(ssh.Signature)
	if err := ssh.Unmarshal(e.Signature, sig); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if err := algorithm(key, sig); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	content, err := toSign(message, e.Namespace, e.Hash)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if err := key.Verify(content, sig); err != nil {
		return nil, fmt.Errorf("%w: it is not of these bytes, or was changed", ErrSignature)
	}
	return key, nil
}

// algorithm refuses what ssh-keygen refuses: SHA-1, keys on hardware tokens, which no host has, and bytes behind the signature.
func algorithm(key ssh.PublicKey, sig *ssh.Signature) error {
	plain := key
	if cert, ok := key.(*ssh.Certificate); ok {
		plain = cert.Key
	}
	switch plain.Type() {
	case ssh.KeyAlgoRSA:
		if sig.Format != ssh.KeyAlgoRSASHA256 && sig.Format != ssh.KeyAlgoRSASHA512 {
			return fmt.Errorf("algorithm %q of an RSA key", sig.Format)
		}
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521:
		if sig.Format != plain.Type() {
			return fmt.Errorf("algorithm %q of a key of type %s", sig.Format, plain.Type())
		}
	default:
		return fmt.Errorf("a key of type %q", plain.Type())
	}
	if len(sig.Rest) > 0 {
		return errors.New("bytes behind its end")
	}
	return nil
}

// toSign is what a signature of a message is made of.
func toSign(message []byte, namespace, hash string) ([]byte, error) {
	s := signed{Namespace: namespace, Hash: hash}
	switch hash {
	case "sha256":
		sum := sha256.Sum256(message)
		s.Digest = sum[:]
	case "sha512":
		sum := sha512.Sum512(message)
		s.Digest = sum[:]
	default:
		return nil, fmt.Errorf("hash %q: want sha256 or sha512", hash)
	}
	return append([]byte(magic), ssh.Marshal(s)...), nil
}

// parse reads an armoured signature. Reserved has to be empty: nothing is defined for it.
func parse(armored []byte) (*envelope, error) {
	if len(armored) > MaxSize {
		return nil, fmt.Errorf("larger than %d kB", MaxSize>>10)
	}
	body, ok := strings.CutPrefix(string(armored), armorBegin)
	if ok {
		body, ok = strings.CutSuffix(body, armorEnd)
	}
	if !ok || !strings.HasSuffix(body, "\n") {
		return nil, errors.New("it is not between BEGIN and END SSH SIGNATURE, alone in its file")
	}
	lines := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	for i, l := range lines {
		if l == "" || i < len(lines)-1 && len(l) != len(lines[0]) || len(l) > len(lines[0]) {
			return nil, errors.New("lines of different lengths")
		}
	}
	text := strings.Join(lines, "")
	if strings.ContainsAny(text, "\r\n") { // the decoder leaves them out
		return nil, errors.New("a carriage return")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, err
	}
	rest, ok := bytes.CutPrefix(b, []byte(magic))
	if !ok {
		return nil, fmt.Errorf("it does not begin with %s", magic)
	}
	e := new(envelope)
	if err := ssh.Unmarshal(rest, e); err != nil {
		return nil, err
	}
	if e.Version != 1 {
		return nil, fmt.Errorf("version %d: want 1", e.Version)
	}
	if e.Reserved != "" {
		return nil, errors.New("its reserved field is not empty")
	}
	return e, nil
}

// Sign makes an armoured signature of a message for a namespace. The signer can be one with a certificate.
func Sign(message []byte, namespace string, signer ssh.Signer) ([]byte, error) {
	const hash = "sha512"
	content, err := toSign(message, namespace, hash)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	plain := signer.PublicKey()
	if cert, ok := plain.(*ssh.Certificate); ok {
		plain = cert.Key
	}
	var sig *ssh.Signature
	if plain.Type() == ssh.KeyAlgoRSA { // by itself it would be SHA-1
		as, ok := signer.(ssh.AlgorithmSigner)
		if !ok {
			return nil, errors.New("sign: the RSA key signs with SHA-1 alone")
		}
		sig, err = as.SignWithAlgorithm(nil, content, ssh.KeyAlgoRSASHA512)
	} else {
		sig, err = signer.Sign(nil, content)
	}
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	b := append([]byte(magic), ssh.Marshal(envelope{1, signer.PublicKey().Marshal(), namespace, "", hash, ssh.Marshal(sig)})...)
	text := base64.StdEncoding.EncodeToString(b)
	out := []byte(armorBegin)
	for len(text) > 0 {
		n := min(len(text), armorWidth)
		out = append(append(out, text[:n]...), '\n')
		text = text[n:]
	}
	return append(out, armorEnd...), nil
}

// Signer reads the private key of a host, and with the certificate that its CA made, if there is one.
func Signer(key, certificate []byte) (ssh.Signer, error) {
	s, err := ssh.ParsePrivateKey(key)
	if missing := new(ssh.PassphraseMissingError); errors.As(err, &missing) {
		return nil, errors.New("key: it has a passphrase: want the key of a host, or sign with ssh-keygen -Y sign")
	}
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if len(certificate) == 0 {
		return s, nil
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(certificate)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	cert, ok := pub.(*ssh.Certificate)
	if !ok {
		return nil, errors.New("certificate: it is a key without one")
	}
	s, err = ssh.NewCertSigner(cert, s)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return s, nil
}
