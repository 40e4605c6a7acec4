package need

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// told is a test that keeps how it would end.
type told struct {
	testing.TB
	end string
}

func (t *told) Helper() {}

func (t *told) Skipf(format string, args ...any) { t.end = "skip: " + fmt.Sprintf(format, args...) }

func (t *told) Fatalf(format string, args ...any) { t.end = "fail: " + fmt.Sprintf(format, args...) }

// TestLacks: what the kernel lacks has a name, and what it says that it has it does not lack.
func TestLacks(t *testing.T) {
	const gone = "Error: Could not process rule: No such file or directory"
	for name, c := range map[string]struct {
		config, asked, out string
		want               []string
	}{
		"nft":                 {"", "ct state new queue num 5", gone, []string{"CONFIG_NFT_QUEUE"}},
		"nft, of connections": {"", "ct label 5 accept", gone, []string{"CONFIG_NFT_CT"}},
		"a match":             {"", "-A INPUT -m osf --genre Linux -j DROP", gone, []string{"CONFIG_NETFILTER_XT_MATCH_OSF"}},
		"another name":        {"", "-A INPUT -m ttl --ttl-eq 64 -j ACCEPT", gone, []string{"CONFIG_NETFILTER_XT_MATCH_HL"}},
		"one of two":          {"\nCONFIG_NETFILTER_XT_MATCH_MAC=m\n", "-m mac -j TTL", gone, []string{"CONFIG_NETFILTER_XT_TARGET_HL"}},
		"not set":             {"\n# CONFIG_NFT_QUEUE is not set\n", "queue num 5", gone, []string{"CONFIG_NFT_QUEUE"}},
		"set":                 {"\nCONFIG_NFT_QUEUE=y\n", "queue num 5", gone, nil},
		"a chain that is not": {"", "jump nowhere", gone, nil},
		"another error":       {"", "queue num 5", "Error: syntax error, unexpected string", nil},
		"another option":      {"", "-m mac --dprot 1", "iptables v1.8.9 (nf_tables): unknown option \"--dprot\"", nil},
	} {
		if got := lacks([]byte(c.config), c.asked, []byte(c.out)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestKernel: a test goes on without an error, and an error that is not of the kernel's options fails it.
func TestKernel(t *testing.T) {
	end := new(told)
	if Kernel(end, "queue num 5", []byte("No such file or directory"), nil); end.end != "" {
		t.Errorf("without an error: %q", end.end)
	}
	if Kernel(end, "queue num 5", []byte("syntax error"), errors.New("exit")); end.end != "fail: queue num 5: exit: syntax error" {
		t.Errorf("another error: %q", end.end)
	}
}
