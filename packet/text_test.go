package packet

import (
	"strings"
	"testing"
)

// TestText reads packets and writes them.
func TestText(t *testing.T) {
	for text, want := range map[string]string{
		"tcp 172.17.0.2:40000 > 10.0.0.1:22 syn":                                             "tcp 172.17.0.2:40000 > 10.0.0.1:22 syn",
		"tcp 172.17.0.2 > 10.0.0.1:22":                                                       "tcp 172.17.0.2:40000 > 10.0.0.1:22 syn",
		"tcp [fd00::1]:1 > [fd00::2]:2 syn,ack":                                              "tcp [fd00::1]:1 > [fd00::2]:2 SA",
		"udp 10.0.0.1:1 > 10.0.0.2:53 mark 0x77 ct new":                                      "udp 10.0.0.1:1 > 10.0.0.2:53 mark 119 ct new",
		"udp 10.0.0.1:1 > 10.0.0.2:53 out vw1 dmac 02:00:00:00:00:02 smac 02:00:00:00:00:01": "udp 10.0.0.1:1 > 10.0.0.2:53 smac 02:00:00:00:00:01 dmac 02:00:00:00:00:02 out vw1",
		"icmp 10.0.0.1 > 10.0.0.2 type 3 code 1":                                             "icmp 10.0.0.1 > 10.0.0.2 type 3 code 1",
		"47 10.0.0.1 > 10.0.0.2":                                                             "47 10.0.0.1 > 10.0.0.2",
		"udp 10.0.0.1:1 > 10.0.0.2:53 frag last":                                             "udp 10.0.0.1:1 > 10.0.0.2:53 frag last",
	} {
		p, err := Parse("eth0", text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if p.String() != want {
			t.Errorf("%s: got %s", text, p)
		} else if again, err := Parse("eth0", p.String()); err != nil || again.String() != want {
			t.Errorf("%s: read again as %v, %v", p, again, err)
		}
	}
	for _, bad := range []string{
		"", "tcp", "tcp 10.0.0.1 10.0.0.2", "tcp 10.0.0.1 > ::1", "xyz 10.0.0.1 > 10.0.0.2", "tcp 10.0.0.1:70000 > 10.0.0.2",
		"tcp 10.0.0.1 > 10.0.0.2 sin", "icmp 10.0.0.1 > 10.0.0.2 type", "icmp 10.0.0.1 > 10.0.0.2 type 300", "tcp 10.0.0.1 > 10.0.0.2 ct odd",
		"tcp 10.0.0.1 > 10.0.0.2 smac 00:11", "tcp 10.0.0.1 > 10.0.0.2 frag", "tcp 10.0.0.1 > 10.0.0.2 frag second",
	} {
		if p, err := Parse("eth0", bad); err == nil {
			t.Errorf("%q: read as %v", bad, p)
		}
	}
}

// TestTextSaysThePacket: a text that leaves out what its protocol has, or has what it does not have, is refused with what to write.
func TestTextSaysThePacket(t *testing.T) {
	for text, want := range map[string]string{
		"tcp 10.0.0.1 > 10.0.0.2":                 "tcp goes to a port, such as 10.0.0.2:22",
		"udp [fd00::1]:1 > fd00::2":               "udp goes to a port, such as [fd00::2]:22",
		"icmp 10.0.0.1:5 > 10.0.0.2":              "icmp has no ports: want 10.0.0.1 > 10.0.0.2",
		"47 10.0.0.1 > 10.0.0.2:0":                "47 has no ports",
		"udp 10.0.0.1:1 > 10.0.0.2:53 syn":        "udp has no flags",
		"icmp 10.0.0.1 > 10.0.0.2 syn":            "icmp has no flags",
		"tcp 10.0.0.1:1 > 10.0.0.2:22 type 8":     "tcp has no type and no code",
		"udp 10.0.0.1:1 > 10.0.0.2:53 code 1":     "udp has no type and no code",
		"tcp 10.0.0.1:0 > 10.0.0.2:0 syn":         "",
		"icmpv6 fd00::1 > fd00::2 type 1 code 4":  "",
		"sctp 10.0.0.1 > 10.0.0.2:5000 frag last": "",
	} {
		if _, err := Parse("eth0", text); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
