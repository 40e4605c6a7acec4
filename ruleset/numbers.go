package ruleset

// The numbers of netfilter's families that a rule of the family inet compares with (NFPROTO_*, include/uapi/linux/netfilter.h).
const (
	NfprotoIPv4 = 2
	NfprotoIPv6 = 10
)

// The types of Ethernet frames (ETH_P_*, include/uapi/linux/if_ether.h; IEEE 802 Numbers of IANA).
const (
	EtherIPv4 = 0x0800
	EtherARP  = 0x0806
	EtherIPv6 = 0x86dd
)

// AddrUnicast is the type of an address that is none of the host's own and no broadcast or group (RTN_UNICAST,
// include/uapi/linux/rtnetlink.h).
const AddrUnicast = 1

// NameSize is how many bytes the kernel compares of the name of an interface (IFNAMSIZ, include/uapi/linux/if.h).
const NameSize = 16
