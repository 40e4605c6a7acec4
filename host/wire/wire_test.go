//go:build linux && !ringfence_portable

package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/ruleset"
	"github.com/ringfence/ringfence/snapshot"
)

// parsers are all that reads a message. Each gives a value that can be compared, and an error.
var parsers = map[string]func([]byte) (any, error){
	"inet":       func(b []byte) (any, error) { return ParseInet(b) },
	"unix":       func(b []byte) (any, error) { return ParseUnix(b) },
	"packet":     func(b []byte) (any, error) { return ParsePacket(b) },
	"vsock":      func(b []byte) (any, error) { return ParseVsock(b) },
	"connection": func(b []byte) (any, error) { return ParseConnection(b) },
	"name":       func(b []byte) (any, error) { return ParseIPSetName(b) },
	"nexthop":    func(b []byte) (any, error) { return ParseNexthop(b) },
	"route":      func(b []byte) (any, error) { return ParseRouteNexthop(b) },
	"route event": func(b []byte) (any, error) {
		var all []string
		for kind := range uint16(120) {
			what, ok, err := ParseRouteEvent(netlink.Message{Header: netlink.Header{Type: netlink.HeaderType(kind)}, Data: b})
			all = append(all, fmt.Sprint(kind, what, ok, err))
		}
		return all, nil
	},
	"policy": func(b []byte) (any, error) {
		p, _, err := ParsePolicy(b)
		return p, err
	},
	"rule":    func(b []byte) (any, error) { return ParseRule(b) },
	"devconf": func(b []byte) (any, error) { return ParseDevConf(b) },
	"ipset": func(b []byte) (any, error) {
		var s ruleset.IPSet
		err := ParseIPSet(&s, b)
		return s, err
	},
	"change":     nftMessage(unix.NFT_MSG_NEWRULE),
	"generation": nftMessage(unix.NFT_MSG_NEWGEN),
	"answer":     func(b []byte) (any, error) { return nil, BatchAnswer(b) },
	"audit": func(b []byte) (any, error) {
		n, _, err := ParseAudit(netlink.Message{Header: netlink.Header{Type: auditGet}, Data: b})
		return n, err
	},
}

func nftMessage(kind int) func([]byte) (any, error) {
	return func(b []byte) (any, error) {
		m := netlink.Message{Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind)}, Data: b}
		e, _, err := ParseNFTablesEvent(m)
		return e, err
	}
}

func attribute(kind uint16, d ...byte) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: d}
}

// inet is struct inet_diag_msg with its attributes.
func inet(family byte, attrs ...netlink.Attribute) []byte {
	b := make([]byte, inetMsgSize)
	b[0], b[1] = family, StateListen
	binary.BigEndian.PutUint16(b[4:], 8080)
	binary.BigEndian.PutUint16(b[6:], 443)
	copy(b[8:], netip.MustParseAddr("192.0.2.1").AsSlice())
	copy(b[24:], netip.MustParseAddr("198.51.100.7").AsSlice())
	binary.NativeEndian.PutUint32(b[40:], 3)
	binary.NativeEndian.PutUint32(b[64:], 1001)
	binary.NativeEndian.PutUint32(b[68:], 4242)
	return append(b, attributes(attrs...)...)
}

func native32(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

func header(size int, fill func([]byte)) []byte {
	b := make([]byte, size)
	fill(b)
	return b
}

// messages are what a kernel tells, and what is read of it.
var messages = []struct {
	parser string
	b      []byte
	want   any
}{
	{"inet", inet(unix.AF_INET, attribute(inetCgroup, 0, 0, 0, 0, 0, 0, 0, 0), netlink.Attribute{Type: inetMark, Data: native32(7)}, attribute(inetSockopt, 1<<5, 0)), InetSocket{
		Family: unix.AF_INET, State: StateListen, Local: netip.MustParseAddrPort("192.0.2.1:8080"), Peer: netip.MustParseAddrPort("198.51.100.7:443"),
		Device: 3, UID: 1001, Inode: 4242, Transparent: new(true), Mark: new(uint32(7)),
	}},
	{"inet", inet(unix.AF_INET6, attribute(inetSKV6Only, 0), attribute(99, 1, 2, 3, 4)), InetSocket{
		Family: unix.AF_INET6, State: StateListen, Local: netip.MustParseAddrPort("[c000:201::]:8080"), Peer: netip.MustParseAddrPort("[c633:6407::]:443"),
		Device: 3, UID: 1001, Inode: 4242, V6Only: new(false),
	}},
	{"inet", inet(unix.AF_INET, nested(inetULP, text(inetULPName, "mptcp"))), InetSocket{
		Family: unix.AF_INET, State: StateListen, Local: netip.MustParseAddrPort("192.0.2.1:8080"), Peer: netip.MustParseAddrPort("198.51.100.7:443"),
		Device: 3, UID: 1001, Inode: 4242, ULP: "mptcp",
	}},
	{
		"unix", append(header(16, func(b []byte) { b[0], b[1], b[2], b[4] = unix.AF_UNIX, unix.SOCK_STREAM, StateListen, 9 }),
			attributes(text(0, "/run/a.sock"), netlink.Attribute{Type: 7, Data: native32(12)})...),
		UnixSocket{Type: unix.SOCK_STREAM, State: StateListen, Inode: binary.NativeEndian.Uint32([]byte{9, 0, 0, 0}), Name: "/run/a.sock", UID: new(uint32(12))},
	},
	{"unix", append(make([]byte, 16), attributes(attribute(0, 0, 'a', 0, 'b'))...), UnixSocket{Name: "a\x00b", Abstract: true}},
	{
		"packet", append(header(16, func(b []byte) { binary.NativeEndian.PutUint16(b[2:], 0x806) }), attributes(netlink.Attribute{Data: native32(5)})...),
		PacketSocket{EtherType: 0x806, Device: 5},
	},
	{
		"vsock", header(32, func(b []byte) { copy(b[4:], native32(3)); copy(b[8:], native32(1024)); copy(b[20:], native32(77)) }),
		VsockSocket{CID: 3, Port: 1024, Inode: 77},
	},
	{
		"connection", KnowConnection(unix.IPPROTO_TCP, netip.MustParseAddrPort("[2001:db8::1]:443"), netip.MustParseAddrPort("[2001:db8::2]:40000")).Data,
		Connection{
			Proto: unix.IPPROTO_TCP, Status: SeenReply | Assured | confirmed,
			From: netip.MustParseAddrPort("[2001:db8::1]:443"), To: netip.MustParseAddrPort("[2001:db8::2]:40000"),
			Client: netip.MustParseAddrPort("[2001:db8::1]:443"), Server: netip.MustParseAddrPort("[2001:db8::2]:40000"),
		},
	},
	{"name", append([]byte{2, 0, 0, 0}, attributes(text(ipsetName, "blocked"))...), "blocked"},
	{
		"rule", append(header(ruleHeader, func(b []byte) { b[0], b[2], b[4], b[7] = unix.AF_INET, 24, 100, 6 }),
			attributes(attribute(fraSrc, 10, 1, 2, 0), text(fraIifname, "eth0"), netlink.Attribute{Type: fraPriority, Data: native32(50)}, attribute(fraIPProto, 6))...),
		snapshot.PolicyRule{Family: 4, Src: "10.1.2.0/24", Iif: "eth0", Priority: 50, IPProto: 6, Table: 100, Action: "blackhole"},
	},
	{
		"rule", append(header(ruleHeader, func(b []byte) { b[0] = unix.AF_INET6 }), attributes(attribute(200, 1, 2, 3, 4))...),
		snapshot.PolicyRule{Family: 6, Action: "lookup", Other: true},
	},
	{
		"rule", append(header(ruleHeader, func(b []byte) { b[0], b[4], b[7] = unix.AF_INET, 100, 1 }),
			attributes(netlink.Attribute{Type: fraUIDRange, Data: append(native32(1000), native32(1999)...)})...),
		snapshot.PolicyRule{Family: 4, Table: 100, Action: "lookup", UIDs: &snapshot.UIDRange{First: 1000, Last: 1999}},
	},
	{
		"nexthop", append(header(nexthopHeader, func(b []byte) { b[0], b[4] = unix.AF_INET, 1 }), attributes(netlink.Attribute{Type: nhaID, Data: native32(10)},
			netlink.Attribute{Type: nhaOif, Data: native32(3)}, attribute(nhaGateway, 192, 0, 2, 1))...),
		Nexthop{ID: 10, Oif: 3, Gateway: netip.MustParseAddr("192.0.2.1"), Flags: int(binary.NativeEndian.Uint32([]byte{1, 0, 0, 0}))},
	},
	{
		"nexthop", append(make([]byte, nexthopHeader), attributes(netlink.Attribute{Type: nhaID, Data: native32(20)}, attribute(nhaBlackhole),
			netlink.Attribute{Type: nhaGroup, Data: slices.Concat(native32(10), native32(0), native32(11), native32(0))})...),
		Nexthop{ID: 20, Blackhole: true, Group: []int{10, 11}},
	},
	{
		"route", append(header(routeHeader, func(b []byte) { b[0], b[1], b[4] = unix.AF_INET, 24, 254 }), attributes(attribute(unix.RTA_DST, 198, 51, 100, 0),
			netlink.Attribute{Type: unix.RTA_PRIORITY, Data: native32(7)}, netlink.Attribute{Type: rtaNexthop, Data: native32(10)})...),
		RouteNexthop{Family: 4, Table: 254, Metric: 7, Nexthop: 10, Dst: netip.MustParsePrefix("198.51.100.0/24")},
	},
	{
		"route", append(header(routeHeader, func(b []byte) { b[0], b[4] = unix.AF_INET, 254 }), attributes(netlink.Attribute{Type: rtaMultipath, Data: slices.Concat(
			[]byte{16, 0, 0, 0}, native32(2), attributes(netlink.Attribute{Type: unix.RTA_FLOW, Data: native32(5)}),
			[]byte{8, 0, 0, 0}, native32(3),
		)})...),
		RouteNexthop{Family: 4, Table: 254, Dst: netip.MustParsePrefix("0.0.0.0/0"), Realms: true},
	},
	{
		"rule", append(header(ruleHeader, func(b []byte) { b[0], b[4], b[7] = unix.AF_INET, 100, 1 }), attributes(netlink.Attribute{Type: fraFlow, Data: native32(7)})...),
		snapshot.PolicyRule{Family: 4, Table: 100, Action: "lookup", Realms: true},
	},
	{
		"policy", append(header(xfrmPolicyInfo, func(b []byte) {
			copy(b, []byte{203, 0, 113, 1})
			copy(b[16:], []byte{203, 0, 113, 0})
			copy(b[32:], []byte{0, 22, 0xff, 0xff})
			copy(b[40:], binary.NativeEndian.AppendUint16(nil, unix.AF_INET))
			b[42], b[43], b[44], b[160] = 32, 24, 6, 2
			copy(b[152:], native32(100))
		}), attributes(netlink.Attribute{Type: xfrmaTmpl, Data: append(make([]byte, xfrmTemplate+xfrmOptional), append([]byte{1}, make([]byte, xfrmTemplate-xfrmOptional-1)...)...)},
			netlink.Attribute{Type: xfrmaMark, Data: slices.Concat(native32(7), native32(255))})...),
		snapshot.XFRMPolicy{
			Dir: "fwd", Family: 4, Src: "203.0.113.0/24", Dst: "203.0.113.1/32", Proto: 6, Dport: 22, DportMask: 0xffff, Priority: 100, Mark: 7, Mask: 255,
			Templates: 2, Required: 1,
		},
	},
	{
		"devconf", append(make([]byte, interfaceHeader), attributes(text(unix.IFLA_IFNAME, "eth0"), nested(unix.IFLA_AF_SPEC,
			nested(unix.AF_INET, netlink.Attribute{Type: iflaInetConf, Data: slices.Concat(native32(1), native32(0), native32(5), native32(0))}),
			nested(unix.AF_INET6, attribute(1, 0, 0, 0, 0))))...),
		DevConf{Name: "eth0", V4: map[string]int32{"forwarding": 1, "mc_forwarding": 0, "accept_redirects": 0}},
	},
	{
		"change", append([]byte{1, 0, 0, 0}, attributes(text(unix.NFTA_TABLE_NAME, "ringfence"))...),
		NFTablesEvent{Kind: unix.NFT_MSG_NEWRULE, Family: 1, Table: "ringfence"},
	},
	{
		"generation", append([]byte{0, 0, 0, 0}, attributes(netlink.Attribute{Type: unix.NFTA_GEN_ID, Data: big32(9)},
			netlink.Attribute{Type: unix.NFTA_GEN_PROC_PID, Data: big32(321)}, text(unix.NFTA_GEN_PROC_NAME, "nft"))...),
		NFTablesEvent{Kind: unix.NFT_MSG_NEWGEN, Generation: 9, PID: 321, Program: "nft"},
	},
	{"answer", answer(1, 0), nil},
	{"audit", append(native32(1), native32(2)...), uint32(2)},
}

// answer is one struct nlmsgerr.
func answer(part uint32, errno int32) []byte {
	b := binary.NativeEndian.AppendUint32(nil, unix.NLMSG_HDRLEN+4)
	b = binary.NativeEndian.AppendUint16(b, unix.NLMSG_ERROR)
	b = append(b, 0, 0)
	b = binary.NativeEndian.AppendUint32(b, part)
	b = append(b, 0, 0, 0, 0)
	return binary.NativeEndian.AppendUint32(b, uint32(-errno))
}

func TestMessagesAreRead(t *testing.T) {
	for _, m := range messages {
		got, err := parsers[m.parser](m.b)
		if err != nil {
			t.Errorf("%s: %v", m.parser, err)
			continue
		}
		if s, ok := got.(InetSocket); ok {
			s.id = [inetIDSize]byte{}
			got = s
		}
		if !reflect.DeepEqual(got, m.want) {
			t.Errorf("%s: %+v, want %+v", m.parser, got, m.want)
		}
	}
}

// TestShortMessagesAreErrors: a message that was cut is no message with less in it.
func TestShortMessagesAreErrors(t *testing.T) {
	for _, m := range messages {
		if _, err := parsers[m.parser](m.b[:1]); !errors.Is(err, ErrTruncated) {
			t.Errorf("%s of one byte: %v", m.parser, err)
		}
		if len(m.b)%4 != 0 {
			continue
		}
		if _, err := parsers[m.parser](m.b[:len(m.b)-4]); !errors.Is(err, ErrTruncated) {
			t.Errorf("%s without its last bytes: %v", m.parser, err)
		}
	}
	if s, err := ParseUnix(append(make([]byte, 16), attributes(attribute(0))...)); err != nil || s.Name != "" {
		t.Errorf("an empty name: %+v, %v", s, err)
	}
	// An attribute of a kind that is read, with too little in it.
	for _, c := range []struct {
		parser string
		b      []byte
	}{
		{"inet", inet(unix.AF_INET6, attribute(inetSKV6Only))},
		{"inet", inet(unix.AF_INET, attribute(inetMark, 1, 2))},
		{"unix", append(make([]byte, 16), attributes(attribute(7, 1))...)},
		{"packet", append(make([]byte, 16), attributes(attribute(0, 1))...)},
		{"rule", append(make([]byte, ruleHeader), attributes(attribute(fraFwmark, 1))...)},
		{"rule", append(make([]byte, ruleHeader), attributes(attribute(fraSrc, 1, 2, 3))...)},
		{"rule", append(header(ruleHeader, func(b []byte) { b[2] = 33 }), attributes(attribute(fraSrc, 1, 2, 3, 4))...)},
		{"connection", append([]byte{2, 0, 0, 0}, attributes(nested(ctaTupleOrig, nested(ctaTupleIP, attribute(ctaIPv4Src, 1, 2, 3))))...)},
		{"connection", []byte{2, 0, 0, 0}},
		{"devconf", append(make([]byte, interfaceHeader), attributes(nested(unix.IFLA_AF_SPEC, nested(unix.AF_INET, attribute(iflaInetConf, 1, 0))))...)},
		{"ipset", append([]byte{2, 0, 0, 0}, attributes(nested(ipsetADT, nested(ipsetData, nested(elemIP, attribute(ipsetAddrIPv4, 1)))))...)},
		{"name", []byte{2, 0, 0, 0}},
		{"answer", answer(1, 0)[:unix.NLMSG_HDRLEN]},
	} {
		if _, err := parsers[c.parser](c.b); !errors.Is(err, ErrTruncated) {
			t.Errorf("%s %x: %v", c.parser, c.b, err)
		}
	}
}

// TestEndedConnections: each protocol has a number of its own for an established connection.
func TestEndedConnections(t *testing.T) {
	a, b := netip.MustParseAddrPort("192.0.2.1:1"), netip.MustParseAddrPort("192.0.2.2:2")
	for _, c := range []struct {
		info, state byte
		ended       bool
	}{
		{ctaProtoInfoTCP, 3, false},
		{ctaProtoInfoTCP, 4, true},
		{ctaProtoInfoTCP, 1, true},
		{ctaProtoInfoSCTP, 4, false},
		{ctaProtoInfoSCTP, 3, true},
	} {
		m := append([]byte{2, 0, 0, 0}, attributes(
			tuple(ctaTupleOrig, unix.IPPROTO_TCP, a, b), nested(ctaProtoInfo, nested(uint16(c.info), attribute(ctaProtoState, c.state))),
		)...)
		got, err := ParseConnection(m)
		if err != nil || got.Ended != c.ended || got.From != a || got.To != b {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
	}
}

// TestTranslatedConnection: who opened a connection and what that sent to are told apart from how whoever answers has them.
func TestTranslatedConnection(t *testing.T) {
	client, published := netip.MustParseAddrPort("192.0.2.9:40000"), netip.MustParseAddrPort("192.0.2.1:80")
	bridge, server := netip.MustParseAddrPort("172.17.0.1:50000"), netip.MustParseAddrPort("172.17.0.2:8080")
	got, err := ParseConnection(append([]byte{2, 0, 0, 0}, attributes(
		tuple(ctaTupleOrig, unix.IPPROTO_TCP, client, published), tuple(ctaTupleReply, unix.IPPROTO_TCP, server, bridge),
	)...))
	if want := (Connection{Proto: unix.IPPROTO_TCP, From: client, To: published, Client: bridge, Server: server}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestRefusalsAreFound: also behind other answers, and where the quoted message did not fit.
func TestRefusalsAreFound(t *testing.T) {
	long := answer(3, int32(unix.EINVAL))
	binary.NativeEndian.PutUint32(long, 1<<20)
	for _, b := range [][]byte{answer(3, int32(unix.EINVAL)), append(answer(1, 0), answer(3, int32(unix.EINVAL))...), long} {
		var refused *RefusedError
		if err := BatchAnswer(b); !errors.As(err, &refused) || refused.Part != 3 || !errors.Is(err, unix.EINVAL) {
			t.Errorf("%x: %v", b, err)
		}
	}
}

// TestBatchIsWhole: the parts are numbered and padded, and the generation is in the first alone.
func TestBatchIsWhole(t *testing.T) {
	list := Transaction([]netlink.Message{NewNFTables(unix.NFT_MSG_NEWRULE, 1, []byte{1, 2, 3})})
	b, err := Batch(list, 77)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []uint16
	for n := uint32(1); len(b) > 0; n++ {
		length := binary.NativeEndian.Uint32(b)
		if length%4 != 0 || int(length) > len(b) || binary.NativeEndian.Uint32(b[8:]) != n {
			t.Fatalf("part %d: %x", n, b)
		}
		kinds = append(kinds, binary.NativeEndian.Uint16(b[4:]))
		if n == 1 {
			err := Each(b[unix.NLMSG_HDRLEN+nfgenSize:length], func(kind uint16, d []byte) error {
				if kind != 1 || binary.BigEndian.Uint32(d) != 77 {
					t.Errorf("generation %d %x", kind, d)
				}
				return nil
			})
			if err != nil || length != unix.NLMSG_HDRLEN+nfgenSize+8 {
				t.Errorf("the first part has %d bytes: %v", length, err)
			}
		}
		b = b[length:]
	}
	want := []uint16{unix.NFNL_MSG_BATCH_BEGIN, unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_NEWRULE, unix.NFNL_MSG_BATCH_END}
	if d := cmp.Diff(want, kinds); d != "" {
		t.Error(d)
	}
	if len(list[0].Data) != nfgenSize {
		t.Error("the message itself was changed")
	}
}

// elements are one of every type of set that is made again.
var elements = []struct {
	kind string
	e    ruleset.IPSetElement
}{
	{"hash:ip", ruleset.IPSetElement{Net: netip.MustParsePrefix("192.0.2.1/32")}},
	{"hash:net", ruleset.IPSetElement{Net: netip.MustParsePrefix("2001:db8::/32"), NoMatch: true}},
	{"hash:net,port", ruleset.IPSetElement{Net: netip.MustParsePrefix("192.0.2.0/24"), Proto: 6, Port: 80, NoMatch: true}},
	{"hash:ip,port,net", ruleset.IPSetElement{Net: netip.MustParsePrefix("192.0.2.1/32"), Net2: netip.MustParsePrefix("10.0.0.0/8"), Proto: 17, Port: 53}},
	{"hash:ip,mark", ruleset.IPSetElement{Net: netip.MustParsePrefix("192.0.2.1/32"), Mark: 99}},
	{"hash:mac", ruleset.IPSetElement{MAC: "02:00:00:00:00:01"}},
	{"hash:net,iface", ruleset.IPSetElement{Net: netip.MustParsePrefix("192.0.2.0/24"), Iface: "eth0"}},
	{"hash:net,iface", ruleset.IPSetElement{Net: netip.MustParsePrefix("192.0.2.0/24"), Iface: "eth", Wildcard: true}},
	{"hash:net,iface", ruleset.IPSetElement{Net: netip.MustParsePrefix("192.0.2.0/24"), Iface: "eth0", PhysDev: true}},
	{"bitmap:port", ruleset.IPSetElement{Port: 8080}},
	{"list:set", ruleset.IPSetElement{Set: "others"}},
}

// listing turns a request to add into the message that lists the same.
func listing(m netlink.Message, kind string) []byte {
	b := append([]byte{2, 0, 0, 0}, attributes(text(ipsetType, kind))...)
	_ = Each(m.Data[nfgenSize:], func(k uint16, d []byte) error {
		if k == ipsetData {
			b = append(b, attributes(nested(ipsetADT, netlink.Attribute{Type: ipsetData | unix.NLA_F_NESTED, Data: d}))...)
		}
		return nil
	})
	return b
}

// TestElementsComeBack: what is written of an element is what is read of one.
func TestElementsComeBack(t *testing.T) {
	for _, c := range elements {
		m, err := AddIPSetElement(&ruleset.IPSet{Name: "s", Type: c.kind}, &c.e)
		if err != nil {
			t.Errorf("%s: %v", c.kind, err)
			continue
		}
		got := ruleset.IPSet{Name: "s"}
		if err := ParseIPSet(&got, listing(m, c.kind)); err != nil || got.Type != c.kind || len(got.Elements) != 1 || got.Elements[0] != c.e {
			t.Errorf("%s: %+v, %v, want %+v", c.kind, got, err, c.e)
		}
	}
	if _, err := AddIPSetElement(&ruleset.IPSet{Type: "hash:mac"}, &ruleset.IPSetElement{MAC: "no"}); err == nil {
		t.Error("an address that is none was written")
	}
}

// TestMasksOfIPSet: a mask of a network makes networks of the elements, another one is kept; of the flags that for full sets is.
func TestMasksOfIPSet(t *testing.T) {
	bits := []byte{255, 0, 255, 0}
	for name, c := range map[string]struct {
		family uint8
		head   netlink.Attribute
		addr   []byte
		want   ruleset.IPSet
	}{
		"of a network": {
			unix.AF_INET,
			netlink.Attribute{Type: createNetMask, Data: []byte{24}},
			[]byte{10, 1, 2, 0},
			ruleset.IPSet{Family: 2, Elements: []ruleset.IPSetElement{{Net: netip.MustParsePrefix("10.1.2.0/24")}}},
		},
		"of IPv6": {
			unix.AF_INET6,
			netlink.Attribute{Type: createNetMask, Data: []byte{8}},
			append([]byte{0xfd}, make([]byte, 15)...),
			ruleset.IPSet{Family: 10, Elements: []ruleset.IPSetElement{{Net: netip.MustParsePrefix("fd00::/8")}}},
		},
		"of bits": {
			unix.AF_INET, nested(createBitMask, netlink.Attribute{Type: ipsetAddrIPv4, Data: bits}),
			[]byte{10, 0, 2, 0},
			ruleset.IPSet{Family: 2, Mask: netip.MustParseAddr("255.0.255.0"), Elements: []ruleset.IPSetElement{{Net: netip.MustParsePrefix("10.0.2.0/32")}}},
		},
		"none, with forceadd and counters": {
			unix.AF_INET,
			netlink.Attribute{Type: createFlags, Data: []byte{0, 0, 0, 1<<5 | 1<<3}},
			[]byte{10, 0, 2, 0},
			ruleset.IPSet{Family: 2, Evicts: true, Elements: []ruleset.IPSetElement{{Net: netip.MustParsePrefix("10.0.2.0/32")}}},
		},
	} {
		kind := uint16(ipsetAddrIPv4)
		if c.family == unix.AF_INET6 {
			kind = ipsetAddrIPv6
		}
		b := append([]byte{2, 0, 0, 0}, attributes(netlink.Attribute{Type: ipsetFamily, Data: []byte{c.family}}, nested(ipsetData, c.head),
			nested(ipsetADT, nested(ipsetData, nested(elemIP, netlink.Attribute{Type: kind, Data: c.addr}))))...)
		var got ruleset.IPSet
		err := ParseIPSet(&got, b)
		got.Widen()
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

// FuzzParse has every parser read the same bytes: none reads beyond, and what is read twice is the same.
func FuzzParse(f *testing.F) {
	for _, m := range messages {
		f.Add(m.b)
	}
	for _, c := range elements {
		if m, err := AddIPSetElement(&ruleset.IPSet{Name: "s", Type: c.kind}, &c.e); err == nil {
			f.Add(listing(m, c.kind))
		}
	}
	f.Add(answer(3, int32(unix.EINVAL)))
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, parse := range parsers {
			once, err := parse(b)
			again, err2 := parse(append([]byte(nil), b...))
			if !reflect.DeepEqual(once, again) || (err == nil) != (err2 == nil) {
				t.Errorf("%s: %+v, %v, and then %+v, %v", name, once, err, again, err2)
			}
		}
	})
}

// FuzzConnection: a connection that is read has both ends, and written again is the same.
func FuzzConnection(f *testing.F) {
	f.Add(KnowConnection(unix.IPPROTO_TCP, netip.MustParseAddrPort("[2001:db8::1]:443"), netip.MustParseAddrPort("[2001:db8::2]:40000")).Data)
	f.Add(KnowConnection(unix.IPPROTO_UDP, netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("192.0.2.2:40000")).Data)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseConnection(b)
		if err != nil {
			return
		}
		if !c.From.Addr().IsValid() || !c.To.Addr().IsValid() {
			t.Fatalf("%+v", c)
		}
		if c.From.Addr().BitLen() != c.To.Addr().BitLen() {
			return
		}
		again, err := ParseConnection(KnowConnection(c.Proto, c.From, c.To).Data)
		if err != nil || again.Proto != c.Proto || again.From != c.From || again.To != c.To {
			t.Errorf("%+v, written again %+v, %v", c, again, err)
		}
	})
}
