//go:build linux && !ringfence_portable

// Package wire turns kernel messages into values, and values into kernel messages: sock_diag(7), conntrack, nf_tables, ipset, accounting,
// policy rules and the audit subsystem. It opens nothing and decides nothing.
//
// Every message is bounds-checked. One that is too short, or whose attributes do not fit, is an error that wraps ErrTruncated; nothing
// is read past its end, and a part of it is never taken for the whole. The layouts are those of the kernel's headers in include/uapi.
package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// ErrTruncated is in the error about a message that ends early.
var ErrTruncated = errors.New("the kernel's message ends early")

// attrKind is the kind of an attribute without the two flags beside it (NLA_TYPE_MASK).
const attrKind = 0x3fff

// Each calls f with every attribute (struct nlattr), its kind without flags. The data is a part of b. An error of f ends the walk.
func Each(b []byte, f func(kind uint16, data []byte) error) error {
	for len(b) > 0 {
		if len(b) < unix.NLA_HDRLEN {
			return ErrTruncated
		}
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.NLA_HDRLEN || n > len(b) {
			return ErrTruncated
		}
		if err := f(binary.NativeEndian.Uint16(b[2:])&attrKind, b[unix.NLA_HDRLEN:n]); err != nil {
			return err
		}
		b = b[min((n+3)&^3, len(b)):]
	}
	return nil
}

// sizes are the kinds of attributes that a parser reads, and how many bytes of data each has at least.
type sizes map[uint16]int

// fields calls f with every attribute of those kinds. One with less data than it has to have is an error: to pass it over would be to take
// the value that stands for "not told".
func fields(b []byte, least sizes, f func(kind uint16, d []byte) error) error {
	return Each(b, func(kind uint16, d []byte) error {
		n, ok := least[kind]
		switch {
		case !ok:
			return nil
		case len(d) < n:
			return fmt.Errorf("attribute %d of %d bytes: %w", kind, len(d), ErrTruncated)
		}
		return f(kind, d)
	})
}

// attributes are the bytes of attributes.
func attributes(list ...netlink.Attribute) []byte {
	b, _ := netlink.MarshalAttributes(list) // fails only for attributes above 64 KiB, and ours are names, numbers and addresses
	return b
}

// nested is an attribute that holds others.
func nested(kind uint16, list ...netlink.Attribute) netlink.Attribute {
	return netlink.Attribute{Type: kind | unix.NLA_F_NESTED, Data: attributes(list...)}
}

// text is an attribute with a C string.
func text(kind uint16, s string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: append([]byte(s), 0)}
}

func big16(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }

func big32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// CString is the text before the first zero byte, or all of it.
func CString(b []byte) string {
	head, _, _ := bytes.Cut(b, []byte{0})
	return string(head)
}

// address is an attribute's address of 4 or 16 bytes.
func address(b []byte) (netip.Addr, error) {
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return a, fmt.Errorf("address of %d bytes: %w", len(b), ErrTruncated)
	}
	return a, nil
}

// nfgenSize is the size of struct nfgenmsg, which every message of nfnetlink begins with (include/uapi/linux/netfilter/nfnetlink.h).
const nfgenSize = 4

// nfnetlink is a request to a subsystem of nfnetlink.
func nfnetlink(subsystem, kind int, flags netlink.HeaderFlags, family uint8, attrs ...netlink.Attribute) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(subsystem<<8 | kind), Flags: netlink.Request | flags},
		Data:   append([]byte{family, unix.NFNETLINK_V0, 0, 0}, attributes(attrs...)...),
	}
}

// Body parts a message of nfnetlink into its family (NFPROTO_*) and its attributes.
func Body(b []byte) (family uint8, attrs []byte, err error) {
	if len(b) < nfgenSize {
		return 0, nil, ErrTruncated
	}
	return b[0], b[nfgenSize:], nil
}
