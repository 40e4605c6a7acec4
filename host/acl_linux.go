//go:build linux && !ringfence_portable

package host

import (
	"encoding/binary"
	"errors"
	"io/fs"

	"golang.org/x/sys/unix"
)

// ACLEntry is whom a POSIX access control list lets do something with a file besides its owner, its group and everybody (acl(5)).
type ACLEntry struct {
	Group bool
	ID    int
}

// ACLWrite, ACLRead and ACLSearch are what an entry can let somebody do (include/uapi/linux/posix_acl.h).
const (
	ACLRead   = 0x04
	ACLWrite  = 0x02
	ACLSearch = 0x01
)

// The tags of entries (include/uapi/linux/posix_acl.h).
const (
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
)

// maxACL bounds a list, in bytes.
const maxACL = 64 << 10

// ACL is who may do something with a file (ACLWrite, ACLRead or ACLSearch), or with what a link leads to, by its list, and whether its group may: with a list the bits of the group in the mode are its mask. A file
// without a list has no entries, and has is false.
func (h *Host) ACL(p string, what uint16) (entries []ACLEntry, group, has bool, err error) {
	n, err := unix.Getxattr(h.path(p), "system.posix_acl_access", nil) // most files have none
	b := make([]byte, min(max(n, 0), maxACL))
	if err == nil {
		n, err = unix.Getxattr(h.path(p), "system.posix_acl_access", b)
	}
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOENT):
		return nil, false, false, nil
	case err != nil:
		return nil, false, false, &fs.PathError{Op: "read the access control list of", Path: p, Err: err}
	}
	entries, group = parseACL(b[:n], what)
	return entries, group, true, nil
}

// parseACL reads a list as the kernel gives it: a version, then entries of a tag, permissions and an id.
func parseACL(b []byte, what uint16) (entries []ACLEntry, group bool) {
	const version, entry = 4, 8
	if len(b) < version {
		return nil, false
	}
	mask, owner := what, false
	for at := version; at+entry <= len(b); at += entry {
		tag, perm, id := binary.LittleEndian.Uint16(b[at:]), binary.LittleEndian.Uint16(b[at+2:]), binary.LittleEndian.Uint32(b[at+4:])
		switch {
		case tag == aclMask:
			mask = perm
		case perm&what == 0:
		case tag == aclGroupObj:
			owner = true
		case tag == aclUser, tag == aclGroup:
			entries = append(entries, ACLEntry{tag == aclGroup, int(id)})
		}
	}
	if mask&what == 0 {
		return nil, false
	}
	return entries, owner
}
