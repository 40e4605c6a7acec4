// Package bundle reads policies and waivers from a bundle that is signed as OPA signs bundles: a tar.gz with .signatures.json in it
// (https://www.openpolicyagent.org/docs/management-bundles#signature-format). What is not signed by the key, or is another than what was
// signed, is refused as a whole.
package bundle

import (
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/bundle"

	"github.com/ringfence/ringfence/judge"
)

// Bounds of a bundle, in bytes: of its file and of what is in it.
const (
	MaxSize    = 16 << 20
	maxContent = 64 << 20
	maxFiles   = 1000
)

// leastRSA is how many bits the modulus of an RSA key has at least (NIST SP 800-131A).
const leastRSA = 2048

// ErrBundle is in every error of reading a bundle.
var ErrBundle = errors.New("bundle")

// Content is what a bundle holds.
type Content struct {
	Modules []judge.Module // policies and their tests, without copies of the program's own
	Waivers []byte         // the waivers of its data as JSON; nil if there are none
}

// Open reads a bundle that was signed with the private half of a public key (PEM). The name is for messages.
func Open(name string, file, key []byte) (*Content, error) {
	c, err := open(name, file, key)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBundle, name, err)
	}
	return c, nil
}

func open(name string, file, key []byte) (*Content, error) {
	algorithms, err := algorithmsOf(key)
	if err != nil {
		return nil, fmt.Errorf("verification key: %w", err)
	}
	if err := bounded(file); err != nil {
		return nil, err
	}
	var b *opa.Bundle
	var wrong error
	for _, a := range algorithms {
		if b, err = read(file, key, a); err == nil {
			break
		}
		if wrong == nil {
			wrong = err
		}
	}
	if b == nil {
		return nil, wrong
	}
	if err := strong(b); err != nil {
		return nil, err
	}
	return content(name, b)
}

// keyName is what the one key is called: which one a bundle names does not matter.
const keyName = "key"

func read(file, key []byte, algorithm string) (*opa.Bundle, error) {
	keys := map[string]*opa.KeyConfig{keyName: {Key: string(key), Algorithm: algorithm}}
	b, err := opa.NewReader(bytes.NewReader(file)).WithBundleVerificationConfig(opa.NewVerificationConfig(keys, keyName, "", nil)).
		WithSizeLimitBytes(maxContent).WithRegoVersion(ast.RegoV1).WithProcessAnnotations(true).Read()
	if err != nil {
		return nil, err
	}
	return &b, nil
}

// algorithmsOf are the ways to sign with the private half of a key. Those with a shared secret are none: the file that is trusted to verify
// could then sign.
func algorithmsOf(key []byte) ([]string, error) {
	block, rest := pem.Decode(key)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("want one public key in PEM (openssl pkey -pubout)")
	}
	var public any
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return nil, fmt.Errorf("want a public key, not a %s (openssl pkey -pubout)", strings.ToLower(block.Type))
	}
	if err != nil {
		return nil, err
	}
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < leastRSA {
			return nil, fmt.Errorf("RSA of %d bits: want %d or more", k.N.BitLen(), leastRSA)
		}
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return []string{"ES256"}, nil
		case elliptic.P384():
			return []string{"ES384"}, nil
		case elliptic.P521():
			return []string{"ES512"}, nil
		default:
			return nil, errors.New("a curve that OPA does not sign with: want P-256, P-384 or P-521")
		}
	default:
		return nil, errors.New("want RSA or ECDSA: OPA signs with no other")
	}
}

// bounded refuses a file that is much larger than it seems.
func bounded(file []byte) error {
	if len(file) > MaxSize {
		return fmt.Errorf("larger than %d MiB", MaxSize>>20)
	}
	z, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		return fmt.Errorf("no bundle (tar.gz): %w", err)
	}
	n, err := io.Copy(io.Discard, io.LimitReader(z, maxContent+1))
	switch {
	case err != nil:
		return fmt.Errorf("no bundle (tar.gz): %w", err)
	case n > maxContent:
		return fmt.Errorf("its content is larger than %d MiB", maxContent>>20)
	}
	return nil
}

// strong refuses a signature that names files by digests of which two texts can have the same.
func strong(b *opa.Bundle) error {
	for _, token := range b.Signatures.Signatures {
		parts := strings.Split(token, ".")
		if len(parts) != 3 {
			return errors.New("signature: want a JWT")
		}
		text, err := base64.RawURLEncoding.DecodeString(parts[1])
		var signed opa.DecodedSignature
		if err == nil {
			err = json.Unmarshal(text, &signed)
		}
		if err != nil {
			return fmt.Errorf("signature: %w", err)
		}
		for _, f := range signed.Files {
			switch opa.HashingAlgorithm(f.Algorithm) {
			case opa.SHA256, opa.SHA384, opa.SHA512, opa.SHA512256:
			default:
				return fmt.Errorf("signature: %s is named by its %s: want SHA-256 or better", f.Name, f.Algorithm)
			}
		}
	}
	return nil
}

// content is what is in a bundle that was signed.
func content(name string, b *opa.Bundle) (*Content, error) {
	if b.Type() != opa.SnapshotBundleType {
		return nil, errors.New("it only has changes of another: want a whole bundle")
	}
	if len(b.WasmModules) > 0 || len(b.PlanModules) > 0 {
		return nil, errors.New("it has compiled policies: want them as text (opa build without --target)")
	}
	if len(b.Modules) > maxFiles {
		return nil, fmt.Errorf("more than %d policies", maxFiles)
	}
	own, err := judge.Export()
	if err != nil {
		return nil, err
	}
	var texts []string
	for file, text := range own {
		if path.Ext(file) == ".rego" {
			texts = append(texts, text)
		}
	}
	c := new(Content)
	for _, m := range b.Modules {
		if !isCopy(m.Raw, texts) { // opa needs a copy of the library to build with
			c.Modules = append(c.Modules, judge.Module{File: name + ":" + strings.TrimPrefix(m.Path, "/"), Text: m.Raw})
		}
	}
	return c, c.data(b.Data)
}

// packageLine is the line that names the package of a module.
var packageLine = regexp.MustCompile(`(?m)^package .*$`)

// isCopy says whether a module is one of these texts. Each version of opa build formats modules in its own way, so it can be one in other lines.
func isCopy(raw []byte, texts []string) bool {
	if slices.Contains(texts, string(raw)) {
		return true
	}
	name := packageLine.FindString(string(raw))
	i := slices.IndexFunc(texts, func(t string) bool { return name != "" && packageLine.FindString(t) == name })
	if i < 0 {
		return false
	}
	var of [2]*ast.Module
	for j, text := range []string{texts[i], string(raw)} {
		m, err := ast.ParseModuleWithOpts("", text, ast.ParserOptions{RegoVersion: ast.RegoV1, ProcessAnnotation: true})
		if err != nil {
			return false
		}
		of[j] = m
	}
	return of[0].Equal(of[1])
}

// data takes the waivers from the data of a bundle.
func (c *Content) data(data map[string]any) error {
	list := map[string]any{}
	for name, v := range data {
		switch name {
		case "waivers", "accept_unknown":
			list[name] = v
		case "params": // checks export writes it empty
			if m, ok := v.(map[string]any); !ok || len(m) > 0 {
				return errors.New("data.params: parameters of policies are in the configuration (--config)")
			}
		default:
			return fmt.Errorf("data.%s: want waivers and accept_unknown alone: what policies need besides is in them, or in the configuration", name)
		}
	}
	if len(list) == 0 {
		return nil
	}
	var err error
	c.Waivers, err = json.Marshal(list)
	return err
}
