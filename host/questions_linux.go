//go:build linux && !ringfence_portable

package host

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Questions opens a netlink socket of that protocol in the network namespace of the thread, for questions that the kernel answers within
// the call (netlink_rcv_skb): nothing else can be done with it. Each call is made by the thread itself. A socket of Netlink has a goroutine
// for each, which takes a thread of Visit longer than most answers.
func (h *Host) Questions(protocol int) (*netlink.Conn, error) {
	if !h.live {
		return nil, ErrNotLive
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	var at unix.Sockaddr
	if err == nil {
		at, err = unix.Getsockname(fd)
	}
	own, ok := at.(*unix.SockaddrNetlink)
	if err != nil || !ok {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("netlink socket: %w", err)
	}
	return netlink.NewConn(questions(fd), own.Pid), nil
}

// questions is a socket for questions.
type questions int

// answerSize is how long a part of an answer is at most: the kernel makes it as long as what is read at once, up to 32 kB
// (netlink_recvmsg), or longer if a single message is.
const answerSize = 64 << 10

var answerBuffers = sync.Pool{New: func() any { return new([answerSize]byte) }}

// Close closes the socket.
func (q questions) Close() error { return unix.Close(int(q)) }

// Send asks a question.
func (q questions) Send(m netlink.Message) error {
	b, err := m.MarshalBinary()
	if err != nil {
		return err
	}
	return unix.Sendto(int(q), b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// SendMessages asks several at once.
func (q questions) SendMessages(list []netlink.Message) error {
	var all []byte
	for i := range list {
		b, err := list[i].MarshalBinary()
		if err != nil {
			return err
		}
		all = append(all, b...)
	}
	return unix.Sendto(int(q), all, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// errAnswer is an answer that is not made as netlink(7) has it.
var errAnswer = errors.New("an answer that is cut off")

// Receive reads the next part of an answer.
func (q questions) Receive() (list []netlink.Message, err error) {
	for m, err := range q.ReceiveIter() {
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

// ReceiveIter reads the next part of an answer, message by message.
func (q questions) ReceiveIter() iter.Seq2[netlink.Message, error] {
	return func(yield func(netlink.Message, error) bool) {
		b, err := q.part()
		for err == nil && len(b) >= unix.SizeofNlMsghdr {
			n := int(binary.NativeEndian.Uint32(b))
			end := (n + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1)
			if n < unix.SizeofNlMsghdr || end > len(b) {
				err = errAnswer
				break
			}
			var m netlink.Message
			if err = m.UnmarshalBinary(b[:end]); err == nil {
				if b = b[end:]; !yield(m, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(netlink.Message{}, err)
		}
	}
}

// part is what the kernel sent next. What somebody else sent to the socket is passed over.
func (q questions) part() ([]byte, error) {
	buf, ok := answerBuffers.Get().(*[answerSize]byte)
	if !ok {
		buf = new([answerSize]byte)
	}
	defer answerBuffers.Put(buf)
	for {
		n, from, err := unix.Recvfrom(int(q), buf[:], unix.MSG_TRUNC)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, err
		case n > len(buf):
			return nil, errAnswer
		}
		if by, ok := from.(*unix.SockaddrNetlink); ok && by.Pid == 0 {
			b := make([]byte, (n+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1))
			copy(b, buf[:n])
			return b, nil
		}
	}
}
