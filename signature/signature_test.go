package signature

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/ringfence/ringfence/need"
)

// keygen runs ssh-keygen in a directory.
func keygen(t *testing.T, dir, stdin string, args ...string) (string, error) {
	t.Helper()
	path := need.Program(t, "ssh-keygen")
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func must(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := keygen(t, dir, "", args...); err != nil {
		t.Fatalf("ssh-keygen %v: %v\n%s", args, err, out)
	}
}

func read(t *testing.T, parts ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, text []byte, parts ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(parts...), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// who reads signers and asks them about a signature, as a judge of snapshots does.
func who(message, sig, knownHosts, allowed []byte, name string) (*Known, error) {
	s := new(Signers)
	if err := errors.Join(s.AddKnownHosts("known_hosts", knownHosts), s.AddAllowed("allowed_signers", allowed)); err != nil {
		return nil, err
	}
	key, err := Verify(message, Namespace, sig)
	if err != nil {
		return nil, err
	}
	return s.Who(key, []string{name}, Namespace, time.Now())
}

// keyLine is a public key file without its comment.
func keyLine(pub []byte) string { return strings.Join(strings.Fields(string(pub))[:2], " ") }

// TestBothWays: what ssh-keygen signs is verified here, and what is signed here ssh-keygen verifies, with each type of key that a host has.
func TestBothWays(t *testing.T) {
	message := []byte("{\"a snapshot\": 1}\n")
	for _, args := range [][]string{{"-t", "ed25519"}, {"-t", "rsa", "-b", "2048"}, {"-t", "ecdsa", "-b", "256"}, {"-t", "ecdsa", "-b", "384"}, {"-t", "ecdsa", "-b", "521"}} {
		dir := t.TempDir()
		must(t, dir, append(args, "-q", "-N", "", "-f", "key", "-C", "root@web1")...)
		write(t, message, dir, "snapshot.json")
		must(t, dir, "-q", "-Y", "sign", "-f", "key", "-n", Namespace, "snapshot.json")
		line := keyLine(read(t, dir, "key.pub"))
		known := []byte("# a comment\n\nweb1.example.org,203.0.113.5 " + line + "\n")
		k, err := who(message, read(t, dir, "snapshot.json.sig"), known, nil, "web1")
		if err != nil || k.Principal != "web1.example.org" || k.By != "known_hosts:3" {
			t.Errorf("%v: %+v, %v", args, k, err)
		}
		signer, err := Signer(read(t, dir, "key"), nil)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := Sign(message, Namespace, signer)
		if err != nil {
			t.Fatal(err)
		}
		write(t, sig, dir, "ours.sig")
		write(t, []byte("web1 namespaces=\""+Namespace+"\" "+line+"\n"), dir, "allowed")
		if out, err := keygen(t, dir, string(message), "-Y", "verify", "-f", "allowed", "-I", "web1", "-n", Namespace, "-s", "ours.sig"); err != nil {
			t.Errorf("%v: ssh-keygen refuses ours: %s", args, out)
		}
		if k, err := who(message, sig, nil, read(t, dir, "allowed"), "web1"); err != nil || k.By != "allowed_signers:1" {
			t.Errorf("%v: %+v, %v", args, k, err)
		}
	}
}

// TestCertificates: the key of a host with a certificate of its CA, by known_hosts; that of a user by allowed_signers, as ssh-keygen wants it.
func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	message := []byte("m")
	must(t, dir, "-q", "-t", "ed25519", "-N", "", "-f", "ca")
	must(t, dir, "-q", "-t", "ed25519", "-N", "", "-f", "other")
	must(t, dir, "-q", "-t", "ed25519", "-N", "", "-f", "key")
	ca := keyLine(read(t, dir, "ca.pub"))
	certify := func(args ...string) []byte {
		must(t, dir, append(append([]string{"-q", "-s", "ca", "-I", "id"}, args...), "key.pub")...)
		write(t, message, dir, "m")
		_ = os.Remove(filepath.Join(dir, "m.sig"))
		must(t, dir, "-q", "-Y", "sign", "-f", "key-cert.pub", "-n", Namespace, "m")
		return read(t, dir, "m.sig")
	}
	hostCert := certify("-h", "-n", "web1.example.org")
	known := []byte("@cert-authority *.example.org " + ca + "\n")
	if k, err := who(message, hostCert, known, nil, "web1"); err != nil || k.Principal != "web1.example.org" {
		t.Errorf("%+v, %v", k, err)
	}
	signer, err := Signer(read(t, dir, "key"), read(t, dir, "key-cert.pub"))
	if err != nil {
		t.Fatal(err)
	}
	ours, err := Sign(message, Namespace, signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := who(message, ours, known, nil, "web1"); err != nil {
		t.Error(err)
	}
	userCert := certify("-n", "web1")
	allowed := []byte("web1 cert-authority " + ca + "\n")
	write(t, allowed, dir, "allowed")
	if out, err := keygen(t, dir, string(message), "-Y", "verify", "-f", "allowed", "-I", "web1", "-n", Namespace, "-s", "m.sig"); err != nil {
		t.Errorf("ssh-keygen: %s", out)
	}
	if k, err := who(message, userCert, nil, allowed, "web1"); err != nil || k.Principal != "web1" {
		t.Errorf("%+v, %v", k, err)
	}
	expired := certify("-h", "-n", "web1.example.org", "-V", "20200101:20200201")
	anyone := certify("-h")
	for what, c := range map[string]struct {
		sig            []byte
		known, allowed string
		name           string
	}{
		"expired": {expired, string(known), "", "web1"}, "without names": {anyone, string(known), "", "web1"},
		"another host": {hostCert, string(known), "", "web2"}, "outside the authority's names": {hostCert, "@cert-authority *.example.net " + ca + "\n", "", "web1"},
		"excluded": {hostCert, "@cert-authority *.example.org,!web1.example.org " + ca + "\n", "", "web1"},
		"a user's": {userCert, "@cert-authority * " + ca + "\n", "", "web1"}, "a host's by allowed_signers": {hostCert, "", "* cert-authority " + ca + "\n", "web1.example.org"},
		"another authority": {hostCert, "@cert-authority *.example.org " + keyLine(read(t, dir, "other.pub")) + "\n", "", "web1"},
		"no authority":      {hostCert, "*.example.org " + ca + "\n", "", "web1"},
		"revoked authority": {hostCert, string(known) + "@revoked * " + ca + "\n", "", "web1"},
		"revoked key":       {hostCert, string(known) + "@revoked * " + keyLine(read(t, dir, "key.pub")) + "\n", "", "web1"},
	} {
		if k, err := who(message, c.sig, []byte(c.known), []byte(c.allowed), c.name); err == nil {
			t.Errorf("%s: verified as %+v", what, k)
		}
	}
}

// pair is a key of a host and what it signed.
func pair(t *testing.T) (line string, sign func(message []byte, namespace string) []byte) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))), func(message []byte, namespace string) []byte {
		sig, err := Sign(message, namespace, signer)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
}

// TestFlippedBytes: a byte that is changed in what is signed, in the signature or in the signers makes that nothing is verified.
func TestFlippedBytes(t *testing.T) {
	line, sign := pair(t)
	message := bytes.Repeat([]byte("a snapshot "), 100)
	sig, known, allowed := sign(message, Namespace), []byte("web1 "+line+"\n"), []byte("web1 namespaces=\""+Namespace+"\" "+line+"\n")
	r := mathrand.New(mathrand.NewPCG(1, 2))
	flip := func(b []byte, i int) []byte {
		b = bytes.Clone(b)
		b[i%len(b)] ^= byte(1 + r.IntN(255))
		return b
	}
	for i := range 2000 {
		at := r.IntN(1 << 20)
		if i < max(len(sig), len(allowed)) {
			at = i // each place of the short ones once
		}
		for what, of := range map[string][4][]byte{
			"message":         {flip(message, at), sig, known, nil},
			"signature":       {message, flip(sig, at), known, nil},
			"known_hosts":     {message, sig, flip(known, at), nil},
			"allowed_signers": {message, sig, nil, flip(allowed, at)},
		} {
			if what == "allowed_signers" && wild(of[3]) || what == "known_hosts" && bytes.Equal(bytes.TrimSpace(of[2]), bytes.TrimSpace(known)) || what == "allowed_signers" && bytes.Equal(bytes.TrimSpace(of[3]), bytes.TrimSpace(allowed)) {
				continue // a pattern that still has the namespace, or another blank at the end: it says the same
			}
			if k, err := who(of[0], of[1], of[2], of[3], "web1"); err == nil {
				t.Fatalf("%s, byte %d: verified as %+v\n%q", what, at, k, of)
			}
		}
	}
}

// wild says whether a byte of the namespace became a pattern.
func wild(allowed []byte) bool {
	return bytes.ContainsAny(allowed[:len(`web1 namespaces="snapshot@ringfence"`)], "*?")
}

// TestRefused: what holds in another place does not hold here.
func TestRefused(t *testing.T) {
	line, sign := pair(t)
	other, _ := pair(t)
	message := []byte("m")
	good := sign(message, Namespace)
	for what, c := range map[string]struct {
		sig            []byte
		known, allowed string
		name           string
	}{
		"another namespace":             {sign(message, "file"), "web1 " + line + "\n", "", "web1"},
		"another host":                  {good, "web1 " + line + "\n", "", "web2"},
		"another key":                   {good, "web1 " + other + "\n", "", "web1"},
		"nobody":                        {good, "", "", "web1"},
		"a longer name of the host":     {good, "web1 " + line + "\n", "", "web1.example.org"},
		"the first label of an address": {good, "203.0.113.5 " + line + "\n", "", "203"},
		"a pattern":                     {good, "web* " + line + "\n", "", "web1"},
		"revoked":                       {good, "web1 " + line + "\n@revoked * " + line + "\n", "", "web1"},
		"other namespaces":              {good, "", "web1 namespaces=\"file,git\" " + line + "\n", "web1"},
		"not yet":                       {good, "", "web1 valid-after=\"20990101Z\" " + line + "\n", "web1"},
		"not any more":                  {good, "", "web1 valid-before=\"20200101\" " + line + "\n", "web1"},
		"an authority":                  {good, "@cert-authority web1 " + line + "\n", "", "web1"},
		"an option that is none":        {good, "", "web1 nonsense " + line + "\n", "web1"},
		"text before":                   {append([]byte("x\n"), good...), "web1 " + line + "\n", "", "web1"},
		"text after":                    {append(bytes.Clone(good), '\n'), "web1 " + line + "\n", "", "web1"},
		"CRLF":                          {bytes.ReplaceAll(good, []byte("\n"), []byte("\r\n")), "web1 " + line + "\n", "", "web1"},
		"short lines":                   {bytes.Replace(good, []byte("\n"), []byte("\n\n"), 2), "web1 " + line + "\n", "", "web1"},
		"empty":                         {nil, "web1 " + line + "\n", "", "web1"},
		"too large":                     {bytes.Repeat([]byte("A"), MaxSize+1), "web1 " + line + "\n", "", "web1"},
	} {
		if k, err := who(message, c.sig, []byte(c.known), []byte(c.allowed), c.name); err == nil {
			t.Errorf("%s: verified as %+v", what, k)
		}
	}
	for _, name := range []string{"web1", "WEB1"} { // hosts of SSH have no case
		if _, err := who(message, good, []byte("[web1]:2222 "+line+"\n"), nil, name); err != nil {
			t.Error(err)
		}
	}
}

// TestHashedKnownHosts: names that ssh-keygen -H hashed are compared.
func TestHashedKnownHosts(t *testing.T) {
	dir := t.TempDir()
	line, sign := pair(t)
	write(t, []byte("web1 "+line+"\n"), dir, "known")
	must(t, dir, "-q", "-H", "-f", "known")
	known := read(t, dir, "known")
	if bytes.Contains(known, []byte("web1")) {
		t.Fatal("nothing was hashed")
	}
	if _, err := who([]byte("m"), sign([]byte("m"), Namespace), known, nil, "web1"); err != nil {
		t.Error(err)
	}
	if _, err := who([]byte("m"), sign([]byte("m"), Namespace), known, nil, "web2"); err == nil {
		t.Error("another name has the hash")
	}
}

// TestKeyWithPassphrase: such a key cannot sign unattended, and is refused by name.
func TestKeyWithPassphrase(t *testing.T) {
	dir := t.TempDir()
	must(t, dir, "-q", "-t", "ed25519", "-N", "secret", "-f", "key")
	if _, err := Signer(read(t, dir, "key"), nil); err == nil || !strings.Contains(err.Error(), "passphrase") {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte(armorBegin + "U1NIU0lHAAAAAQ==\n" + armorEnd))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Verify([]byte("m"), Namespace, b); err == nil {
			t.Error("verified")
		}
	})
}

func FuzzSigners(f *testing.F) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB3lyS8G9m1cDoTf3cQ8gkZ0cP7zR2O8JmQm5c8b0e1v"
	f.Add([]byte("web1,[web2]:22 " + key + "\n@revoked * " + key))
	f.Add([]byte("web1 cert-authority,namespaces=\"a,b\",valid-before=\"20200101Z\" " + key))
	f.Fuzz(func(_ *testing.T, b []byte) {
		s := new(Signers)
		_, _ = s.AddKnownHosts("k", b), s.AddAllowed("a", b)
		for i := range s.entries {
			e := &s.entries[i]
			_, _ = s.Who(e.key, []string{"web1"}, Namespace, time.Unix(0, 0))
		}
	})
}
