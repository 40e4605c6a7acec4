//go:build linux && !ringfence_portable

package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// NFTables is a request to nf_tables (NFT_MSG_*).
func NFTables(kind int, family uint8, flags netlink.HeaderFlags, attrs ...netlink.Attribute) netlink.Message {
	return nfnetlink(unix.NFNL_SUBSYS_NFTABLES, kind, flags, family, attrs...)
}

// ListRulesOf asks for the rules of a chain, or of a table where chain is empty.
func ListRulesOf(family uint8, table, chain string) netlink.Message {
	attrs := []netlink.Attribute{text(unix.NFTA_RULE_TABLE, table)}
	if chain != "" {
		attrs = append(attrs, text(unix.NFTA_RULE_CHAIN, chain))
	}
	return NFTables(unix.NFT_MSG_GETRULE, family, netlink.Dump, attrs...)
}

// UsesOfChain is what is in a chain or leads to it, rules among it, by the kernel's message of one (NFTA_CHAIN_USE); 0 is not told.
func UsesOfChain(attrs []byte) (n uint32) {
	_ = fields(attrs, sizes{unix.NFTA_CHAIN_USE: 4}, func(_ uint16, d []byte) error {
		n = binary.BigEndian.Uint32(d)
		return nil
	})
	return n
}

// ListElements asks for the elements of a set.
func ListElements(family uint8, table, set string) netlink.Message {
	return NFTables(unix.NFT_MSG_GETSETELEM, family, netlink.Dump,
		text(unix.NFTA_SET_ELEM_LIST_TABLE, table), text(unix.NFTA_SET_ELEM_LIST_SET, set))
}

// NFTablesEvent is what nf_tables says: of a change, or of a generation of the ruleset.
type NFTablesEvent struct {
	Kind   int // NFT_MSG_*
	Family uint8
	Table  string // what was changed is in it; "" for a generation
	// Of a generation (NFT_MSG_NEWGEN), which ends a transaction (nf_tables_gen_notify).
	Generation uint32
	PID        int    // who made it; 0 where the kernel does not say
	Program    string // its name
}

// ParseNFTablesEvent reads a message of nf_tables: the head of it, whatever it is about. It reports false for a message of another subsystem.
func ParseNFTablesEvent(m netlink.Message) (e NFTablesEvent, ok bool, err error) {
	if m.Header.Type>>8 != unix.NFNL_SUBSYS_NFTABLES {
		return e, false, nil
	}
	e.Kind = int(m.Header.Type & 0xff)
	family, attrs, err := Body(m.Data)
	if err != nil {
		return e, true, fmt.Errorf("change of nftables: %w", err)
	}
	e.Family = family
	if e.Kind != unix.NFT_MSG_NEWGEN {
		err = fields(attrs, sizes{unix.NFTA_TABLE_NAME: 1}, func(_ uint16, d []byte) error { // NFTA_*_TABLE have its number
			e.Table = CString(d)
			return nil
		})
	} else {
		err = fields(attrs, sizes{unix.NFTA_GEN_ID: 4, unix.NFTA_GEN_PROC_PID: 4, unix.NFTA_GEN_PROC_NAME: 1}, func(kind uint16, d []byte) error {
			switch kind {
			case unix.NFTA_GEN_ID:
				e.Generation = binary.BigEndian.Uint32(d)
			case unix.NFTA_GEN_PROC_PID:
				e.PID = int(binary.BigEndian.Uint32(d))
			default:
				e.Program = CString(d)
			}
			return nil
		})
	}
	if err != nil {
		return e, true, fmt.Errorf("change of nftables: %w", err)
	}
	return e, true, nil
}

// NewNFTables loads an object again: attrs are those that the kernel told of it.
func NewNFTables(kind int, family uint8, attrs []byte) netlink.Message {
	flags := netlink.Create
	if kind == unix.NFT_MSG_NEWRULE {
		flags |= netlink.Append
	}
	m := NFTables(kind, family, flags)
	m.Data = append(m.Data, attrs...)
	return m
}

// Transaction puts messages between the marks that make them one.
func Transaction(messages []netlink.Message) []netlink.Message {
	mark := func(kind netlink.HeaderType) netlink.Message {
		return netlink.Message{
			Header: netlink.Header{Type: kind, Flags: netlink.Request},
			Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, unix.NFNL_SUBSYS_NFTABLES},
		}
	}
	out := append([]netlink.Message{mark(unix.NFNL_MSG_BATCH_BEGIN)}, messages...)
	return append(out, mark(unix.NFNL_MSG_BATCH_END))
}

// Batch is the bytes of a transaction, numbered from 1. With a generation other than 0 the kernel refuses it where the ruleset is of
// another (NFNL_BATCH_GENID, answered with ERESTART).
func Batch(messages []netlink.Message, generation uint32) ([]byte, error) {
	const genID = 1
	var buf []byte
	for i, m := range messages {
		m.Header.Flags &^= netlink.Acknowledge | netlink.Echo
		m.Header.Sequence = uint32(i + 1)
		data := append([]byte(nil), m.Data...)
		if i == 0 && generation != 0 {
			data = append(data, attributes(netlink.Attribute{Type: genID, Data: big32(generation)})...)
		}
		data = append(data, make([]byte, -len(data)&3)...)
		m.Header.Length, m.Data = uint32(unix.NLMSG_HDRLEN+len(data)), data
		b, err := m.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("part %d of the transaction: %w", i+1, err)
		}
		buf = append(buf, b...)
	}
	return buf, nil
}

// RefusedError is a part of a transaction that the kernel refuses, by its number in the batch.
type RefusedError struct {
	Part uint32
	Err  unix.Errno
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the kernel refuses part %d of the transaction: %v", e.Part, e.Err)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// BatchAnswer reads what the kernel says of a batch in one datagram (struct nlmsgerr). The first refusal is an error, also one that
// quotes more of the batch than there was room for; so is an answer that cannot be read.
func BatchAnswer(b []byte) error {
	const head = unix.NLMSG_HDRLEN + 4
	for len(b) > 0 {
		if len(b) < unix.NLMSG_HDRLEN {
			return fmt.Errorf("answer to a transaction: %w", ErrTruncated)
		}
		length, kind := int(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint16(b[4:])
		if length < unix.NLMSG_HDRLEN || kind == unix.NLMSG_ERROR && (length < head || len(b) < head) {
			return fmt.Errorf("answer to a transaction: %w", ErrTruncated)
		}
		if kind == unix.NLMSG_ERROR {
			if errno := -int32(binary.NativeEndian.Uint32(b[unix.NLMSG_HDRLEN:])); errno != 0 {
				return &RefusedError{Part: binary.NativeEndian.Uint32(b[8:]), Err: unix.Errno(errno)}
			}
		}
		b = b[min((length+3)&^3, len(b)):]
	}
	return nil
}

// NewAccount makes a counter that rules of iptables name (match nfacct; include/uapi/linux/netfilter/nfnetlink_acct.h).
func NewAccount(name string) netlink.Message {
	const acctNew, acctName = 0, 1
	return nfnetlink(unix.NFNL_SUBSYS_ACCT, acctNew, netlink.Create|netlink.Acknowledge, unix.AF_UNSPEC, text(acctName, name))
}
