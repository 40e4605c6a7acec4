//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The structures and request numbers of include/uapi/linux/ipmi.h.

type ipmiSystemAddr struct {
	kind    int32    // IPMI_SYSTEM_INTERFACE_ADDR_TYPE
	channel int16    // IPMI_BMC_CHANNEL
	_       [2]uint8 // lun 0, and padding
}

type ipmiMsg struct {
	netfn, cmd uint8
	dataLen    uint16
	_          uint32
	data       *byte
}

type ipmiReq struct {
	addr    *ipmiSystemAddr
	addrLen uint32
	_       uint32
	id      int64
	msg     ipmiMsg
}

type ipmiRecv struct {
	kind    int32
	_       int32
	addr    *byte
	addrLen uint32
	_       uint32
	id      int64
	msg     ipmiMsg
}

const (
	ipmiSend    = 2<<30 | unsafe.Sizeof(ipmiReq{})<<16 | 'i'<<8 | 13
	ipmiReceive = 3<<30 | unsafe.Sizeof(ipmiRecv{})<<16 | 'i'<<8 | 11 // IPMICTL_RECEIVE_MSG_TRUNC
)

// ipmiConn talks to the controller through the kernel's driver.
type ipmiConn struct {
	dev     *os.File
	timeout time.Duration
	id      int64
}

// ask sends one request and returns the data after the completion code.
func (c *ipmiConn) ask(netfn, cmd byte, data ...byte) ([]byte, error) {
	c.id++
	addr := ipmiSystemAddr{kind: 0x0c, channel: 0xf}
	req := ipmiReq{
		addr: &addr, addrLen: uint32(unsafe.Sizeof(addr)), id: c.id,
		msg: ipmiMsg{netfn: netfn, cmd: cmd, dataLen: uint16(len(data))},
	}
	if len(data) > 0 {
		req.msg.data = &data[0]
	}
	fd := c.dev.Fd()
	if err := ioctl(fd, ipmiSend, unsafe.Pointer(&req)); err != nil {
		return nil, fmt.Errorf("ipmi request %02x/%02x: %w", netfn, cmd, err)
	}
	deadline := time.Now().Add(c.timeout)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return nil, fmt.Errorf("ipmi request %02x/%02x: %w", netfn, cmd, os.ErrDeadlineExceeded)
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, int(left.Milliseconds())+1); err != nil && err != unix.EINTR {
			return nil, fmt.Errorf("ipmi answer: %w", err)
		}
		if fds[0].Revents&unix.POLLIN == 0 {
			continue
		}
		var from [64]byte
		var buf [272]byte
		in := ipmiRecv{addr: &from[0], addrLen: uint32(len(from))}
		in.msg.data, in.msg.dataLen = &buf[0], uint16(len(buf))
		if err := ioctl(fd, ipmiReceive, unsafe.Pointer(&in)); err != nil && !errors.Is(err, unix.EMSGSIZE) {
			return nil, fmt.Errorf("ipmi answer: %w", err)
		}
		runtime.KeepAlive(&buf)
		if in.id != c.id || in.msg.dataLen == 0 {
			continue // an event, or the late answer to a request that was given up
		}
		if buf[0] != 0 {
			return nil, completion(buf[0])
		}
		return append([]byte(nil), buf[1:min(int(in.msg.dataLen), len(buf))]...), nil
	}
}

func ioctl(fd, req uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, req, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
