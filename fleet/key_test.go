package fleet

import (
	"crypto/ed25519"
	"crypto/rand"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/ringfence/ringfence/signature"
)

// hostKey is the line of a new key, and what signs with it.
func hostKey(t *testing.T) (line string, sign func(message []byte, namespace string) []byte) {
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
		sig, err := signature.Sign(message, namespace, signer)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}
}
