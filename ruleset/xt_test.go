package ruleset

import "testing"

// FuzzXt reads the binary form of every extension that the package knows.
func FuzzXt(f *testing.F) {
	f.Add("conntrack", uint32(3), false, make([]byte, 168))
	f.Add("multiport", uint32(1), false, make([]byte, 48))
	for _, name := range []string{"iprange", "mac", "connmark", "rpfilter", "pkttype", "physdev", "ttl", "hl", "state", "mark"} {
		f.Add(name, uint32(0), false, make([]byte, 80))
		f.Add(name, uint32(1), false, make([]byte, 80))
	}
	for _, name := range []string{"DNAT", "NETMAP", "CONNMARK", "CT", "MARK", "NFQUEUE"} {
		f.Add(name, uint32(2), true, make([]byte, 44))
	}
	f.Fuzz(func(_ *testing.T, name string, rev uint32, target bool, info []byte) {
		x := Xt{Name: name, Rev: rev, Target: target, Info: info}
		x.decode()
	})
}
