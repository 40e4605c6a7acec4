package bundle

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	opa "github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/compile"

	"github.com/ringfence/ringfence/judge"
)

// own is a policy that holds.
const own = `# METADATA
# title: T
# description: D
# custom: {severity: low, reads: [], remediation: R}
package ringfence.own.mine

finding contains {"resource": {"kind": "host", "key": "k"}, "message": "m"}
`

const waivers = `waivers:
  - {finding: own/mine, reason: r, owner: o, expires: 2030-01-01}
`

// keys are a private and a public key in PEM.
type keys struct{ private, public []byte }

func pair(t testing.TB, private, public any) keys {
	t.Helper()
	a, err1 := x509.MarshalPKCS8PrivateKey(private)
	b, err2 := x509.MarshalPKIXPublicKey(public)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return keys{pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: a}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: b})}
}

func rsaKeys(t testing.TB, bits int) keys {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return pair(t, k, &k.PublicKey)
}

func ecKeys(t testing.TB) keys {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pair(t, k, &k.PublicKey)
}

// built is a bundle as opa build makes it of a directory with these files, signed if there is a key.
func built(t testing.TB, files map[string]string, sign *opa.SigningConfig) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	caps := ast.CapabilitiesForThisVersion()
	if files["capabilities.json"] != "" {
		var err error
		if caps, err = ast.LoadCapabilitiesJSON(strings.NewReader(files["capabilities.json"])); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	c := compile.New().WithAsBundle(true).WithPaths(dir).WithOutput(&out).WithRegoVersion(ast.RegoV1).WithCapabilities(caps)
	if sign != nil {
		c = c.WithBundleSigningConfig(sign)
	}
	if err := c.Build(context.Background()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestSignedBundle: policies, their tests and waivers of a bundle that opa signed are read, whatever algorithm it was signed with; copies of the
// program's own are left out.
func TestSignedBundle(t *testing.T) {
	r, e := rsaKeys(t, 2048), ecKeys(t)
	for alg, k := range map[string]keys{"RS256": r, "PS512": r, "ES256": e} {
		files := map[string]string{"own/mine.rego": own, "own/mine_test.rego": "package ringfence.own.mine_test\n\ntest_it if true\n", "data.yaml": waivers}
		c, err := Open("b.tar.gz", built(t, files, opa.NewSigningConfig(string(k.private), alg, "")), k.public)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if len(c.Modules) != 2 || !strings.HasPrefix(c.Modules[0].File, "b.tar.gz:") || !strings.Contains(string(c.Waivers), `"own/mine"`) {
			t.Errorf("%s: %+v", alg, c)
		}
		if _, err := judge.Load(c.Modules...); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// TestExportIsABundle: what checks export writes can be built and signed as a bundle with a policy of one's own beside it, and that is all that
// is read from it.
func TestExportIsABundle(t *testing.T) {
	files, err := judge.Export()
	if err != nil {
		t.Fatal(err)
	}
	files["own/mine.rego"] = own
	k := ecKeys(t)
	b := built(t, files, opa.NewSigningConfig(string(k.private), "ES256", ""))
	c, err := Open("b", b, k.public)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Modules) != 1 || !strings.HasSuffix(c.Modules[0].File, "/own/mine.rego") || c.Waivers != nil {
		t.Errorf("%d modules, of %s, waivers %q", len(c.Modules), c.Modules[0].File, c.Waivers)
	}
}

// TestCopiesInOtherLines: opa build of another version breaks lines in another way, and a copy of the library is one still. What says something
// else is none.
func TestCopiesInOtherLines(t *testing.T) {
	text := "# METADATA\n# title: t\n# custom:\n#   severity: low\npackage a.b\n\nx := [1, 2] if input.y\n"
	texts := []string{"package a.c\n", text}
	for raw, want := range map[string]bool{
		text: true,
		strings.Replace(text, "[1, 2]", "[\n\t1,\n\t2,\n]", 1): true,
		strings.Replace(text, "[1, 2]", "[1, 3]", 1):           false,
		strings.Replace(text, "low", "info", 1):                false,
		strings.Replace(text, "a.b", "a.d", 1):                 false,
		text + "\ny := 1\n":                                    false,
		"x := 1\n":                                             false,
		"package a.b\n{":                                       false,
	} {
		if isCopy([]byte(raw), texts) != want {
			t.Errorf("%q: want %t", raw, want)
		}
	}
}

// rewritten is a bundle with a file changed, added, or with "" taken out.
func rewritten(t testing.TB, b []byte, name, text string) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	to := tar.NewWriter(w)
	put := func(name string, text []byte) {
		if err := to.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	found := false
	for from := tar.NewReader(z); ; {
		h, err := from.Next()
		if err != nil {
			break
		}
		var had bytes.Buffer
		if _, err := had.ReadFrom(from); err != nil {
			t.Fatal(err)
		}
		is := strings.HasSuffix(h.Name, name)
		found = found || is
		if !is {
			put(h.Name, had.Bytes())
		} else if text != "" {
			put(h.Name, []byte(text))
		}
	}
	if !found {
		put("/"+name, []byte(text))
	}
	if err := errors.Join(to.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestRefused: what nobody signed, what somebody else signed, what was changed, and what is no bundle of policies.
func TestRefused(t *testing.T) {
	k, other, weak := ecKeys(t), ecKeys(t), rsaKeys(t, 1024)
	files := map[string]string{"own/mine.rego": own, "data.yaml": waivers}
	sign := func(alg string, private []byte) *opa.SigningConfig {
		return opa.NewSigningConfig(string(private), alg, "")
	}
	good := built(t, files, sign("ES256", k.private))
	scoped := filepath.Join(t.TempDir(), "claims.json")
	if err := os.WriteFile(scoped, []byte(`{"scope": "write"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	bomb := func() []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		for range 65 {
			if _, err := z.Write(make([]byte, 1<<20)); err != nil {
				t.Fatal(err)
			}
		}
		_ = z.Close()
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		file, key []byte
		want      string
	}{
		"unsigned":             {built(t, files, nil), k.public, "missing .signatures.json"},
		"of another key":       {good, other.public, "failed to verify JWT signature"},
		"of an RSA key":        {good, rsaKeys(t, 2048).public, "verif"},
		"a policy is changed":  {rewritten(t, good, "own/mine.rego", strings.Replace(own, "low", "info", 1)), k.public, "digest mismatch"},
		"a policy is added":    {rewritten(t, good, "own/more.rego", "package ringfence.own.more\n"), k.public, "not included in bundle signature"},
		"a policy is gone":     {rewritten(t, good, "own/mine.rego", ""), k.public, "not found"},
		"waivers are changed":  {rewritten(t, good, "data.json", `{"waivers": []}`), k.public, "digest mismatch"},
		"signature is gone":    {rewritten(t, good, ".signatures.json", ""), k.public, "missing .signatures.json"},
		"of an unknown plugin": {rewritten(t, good, ".signatures.json", `{"signatures": ["a.b.c"], "plugin": "x"}`), k.public, "x"},
		"with a shared secret": {built(t, files, sign("HS256", k.public)), k.public, "failed to verify"},
		"of a scope":           {built(t, files, opa.NewSigningConfig(string(k.private), "ES256", scoped)), k.public, "scope mismatch"},
		"other data":           {built(t, map[string]string{"data.json": `{"x": 1}`}, sign("ES256", k.private)), k.public, "data.x: want waivers"},
		"parameters":           {built(t, map[string]string{"data.json": `{"params": {"a": 1}}`}, sign("ES256", k.private)), k.public, "--config"},
		"much larger":          {bomb(), k.public, "its content is larger than 64 MiB"},
		"no bundle":            {[]byte("x"), k.public, "no bundle (tar.gz)"},
		"cut off":              {good[:len(good)/2], k.public, "no bundle (tar.gz)"},
		"a private key":        {good, k.private, "want a public key, not a private key"},
		"no key":               {good, []byte("x"), "want one public key in PEM"},
		"a weak key":           {built(t, files, sign("RS256", weak.private)), weak.public, "RSA of 1024 bits"},
		"two keys":             {good, append(k.public, other.public...), "want one public key"},
	} {
		_, err := Open("b.tar.gz", c.file, c.key)
		if !errors.Is(err, ErrBundle) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEveryByteIsSigned changes random bytes of what is in a signed bundle: it is refused, or says the same.
func TestEveryByteIsSigned(t *testing.T) {
	k := ecKeys(t)
	good := built(t, map[string]string{"own/mine.rego": own, "data.yaml": waivers}, opa.NewSigningConfig(string(k.private), "ES256", ""))
	want, err := Open("b", good, k.public)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(z); err != nil {
		t.Fatal(err)
	}
	refused := 0
	random := mrand.New(mrand.NewPCG(1, 2))
	for range 200 {
		b := bytes.Clone(plain.Bytes())
		b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		if _, err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		got, err := Open("b", out.Bytes(), k.public)
		if err != nil {
			refused++
		} else if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("another content is taken: %v", got)
		}
	}
	if refused < 50 {
		t.Errorf("%d of 200 were refused", refused)
	}
}

// FuzzOpen: no file is taken that the key did not sign.
func FuzzOpen(f *testing.F) {
	k := ecKeys(f)
	f.Add(built(f, map[string]string{"own/mine.rego": own}, nil))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := Open("b", b, k.public); err == nil {
			t.Errorf("%+v", c)
		}
	})
}
