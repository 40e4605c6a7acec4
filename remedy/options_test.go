package remedy

import (
	"strings"
	"testing"
)

func TestParseOptions(t *testing.T) {
	o, err := ParseOptions([]string{"192.0.2.1", "198.51.100.0/24", "tcp/22@203.0.113.0/24", "2001:db8::1"}, []string{"tcp/8443@192.0.2.0/24", "vrrp"})
	if err != nil || len(o.AllowFrom) != 3 || len(o.AllowPorts) != 1 || len(o.Keep) != 2 || o.AllowFrom[0].Bits() != 32 || o.AllowFrom[2].Bits() != 128 {
		t.Errorf("%+v %v", o, err)
	}
	for flag, want := range map[string]string{"1.2.3": `allow-from "1.2.3": want an address or a prefix`, "tcp@x": "allow-from: "} {
		if _, err := ParseOptions([]string{flag}, nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", flag, err)
		}
	}
	if _, err := ParseOptions(nil, []string{"nothing"}); err == nil || !strings.HasPrefix(err.Error(), "keep: ") {
		t.Errorf("%v", err)
	}
}
