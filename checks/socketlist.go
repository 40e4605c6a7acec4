//go:build linux && !ringfence_portable

package checks

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// socketLister lists the sockets of one network namespace after the other, our own first. What that tells of the kernel, or of sockets of
// another kind, is not asked again: a kernel walks the tables of all namespaces for each question.
type socketLister struct {
	s    *Scan
	keep func(netns uint64, sk *snapshot.Socket) bool // whether a socket is listed, and not only counted
	own  []snapshot.SocketFamily                      // of our own namespace, in the order of socketKinds
}

// list asks sock_diag of the namespace of the thread for every kind. What is beyond somebody's share is counted, and not listed.
func (l *socketLister) list(ns *foundNetns) (socks []snapshot.Socket, fams []snapshot.SocketFamily) {
	d := diag{s: l.s}
	defer d.close()
	device, inode := l.s.deviceNames(), ns.Inode
	bare := map[uint8]bool{} // families of IP of which no TCP socket is one of MPTCP
	told := func(k socketKind) func([]byte) error {
		return func(m []byte) error {
			sk, ok, err := parseSocket(k, m, device)
			if err == nil && ok && l.keep(inode, &sk) {
				socks = append(socks, sk)
			}
			if k.info && !noMPTCP(m) {
				delete(bare, familyOf(m))
			}
			return err
		}
	}
	var tcp [2]error
	if !ns.Host {
		bare = map[uint8]bool{unix.AF_INET: true, unix.AF_INET6: true}
		k := socketKinds[0]
		k.info = true
		tcp = d.tcp(k.states, true, told(k))
	}
	for i, k := range socketKinds {
		fam := snapshot.SocketFamily{Netns: inode, Proto: k.proto, State: snapshot.OK}
		if k.family == unix.AF_INET6 {
			fam.Proto += "6"
		}
		if known, ok := l.known(i, ns.Host, bare); ok {
			fam.State, fam.Reason = known.State, known.Reason
			fams = append(fams, fam)
			continue
		}
		var err error
		if i < len(tcp) && !ns.Host {
			if err = tcp[i]; err != nil {
				delete(bare, k.family)
			}
		} else {
			err = d.each(k, told(k))
		}
		if err != nil && k.proto == "raw" && !denied(err) && !errors.Is(err, wire.ErrTruncated) {
			if more, perr := l.s.procRaw(k.family); perr == nil {
				for j := range more {
					if l.keep(inode, &more[j]) {
						socks = append(socks, more[j])
					}
				}
				err = nil
			}
		}
		if err != nil {
			fam.State, fam.Reason = diagState(k, err)
		}
		fams = append(fams, fam)
	}
	for i := range socks {
		socks[i].Netns = inode
	}
	if ns.Host {
		l.own = fams
	}
	return socks, fams
}

// known is what another namespace has of a kind, where that is known without a question: a kind that the kernel does not have is in no
// namespace; and a socket of MPTCP that listens has one of TCP below it, of the same family, which is told with it (mptcp_listen,
// mptcp_diag_dump_listeners).
func (l *socketLister) known(i int, host bool, bare map[uint8]bool) (snapshot.SocketFamily, bool) {
	if host || i >= len(l.own) {
		return snapshot.SocketFamily{}, false
	}
	k, own := socketKinds[i], l.own[i]
	return own, own.State == snapshot.Absent || own.State == snapshot.OK && k.proto == "mptcp" && bare[k.family]
}

// familyOf is the family of the socket that a message is about.
func familyOf(m []byte) uint8 {
	in, _ := wire.ParseInet(m) // what cannot be read is told as an error besides
	return in.Family
}

// noMPTCP says whether a message about a socket of TCP tells that none of MPTCP is above it. The kernel tells so only to those with
// CAP_NET_ADMIN, and to these it tells the mark.
func noMPTCP(m []byte) bool {
	in, err := wire.ParseInet(m)
	return err == nil && in.Mark != nil && in.ULP != "mptcp"
}
