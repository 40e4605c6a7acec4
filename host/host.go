// Package host is the only door to the machine: files below a root, /proc, sockets, netlink and
// network namespaces. A Host is the real one or one over a directory of fixture files.
//
// It promises that a read is bounded in size, that it opens regular files only (a FIFO or a device
// in the place of a file is an error), and that reading in another process's root is never led out
// of it by a link. It decides nothing about what it reads.
//
// A machine is looked at on Linux. Elsewhere there are the files of the command line alone, what is read by Trusted and
// written by OpenOutput: a snapshot is judged there.
package host

import (
	"errors"
	"os"
)

// MaxFile bounds every file that is read.
const MaxFile = 8 << 20

// ErrNotLive is returned by what only the real machine has.
var ErrNotLive = errors.New("not a live host")

// ErrNotRegular is returned for a FIFO, socket or device where a file was wanted.
var ErrNotRegular = errors.New("not a regular file")

// OpenNamed opens a file that the command line names for reading, of any kind: a shell puts a FIFO in the place of what another program
// writes. It is data, whoever wrote it, and whoever reads it bounds it.
func OpenNamed(path string) (*os.File, error) { return os.Open(path) }

// Host gives access to one machine.
type Host struct {
	root string
	live bool
	// instead is where paths lead that are not the kernel's, if the files at them are somebody else's (Shut).
	instead string
	// note is told each path below root that is looked at (Noting).
	note func(path string)
}

// Noting is the same machine; note is told each path of its own that is looked at, by any number of goroutines. Paths that other processes see
// from their roots are not told.
func (h *Host) Noting(note func(path string)) *Host {
	noting := *h
	noting.note = note
	return &noting
}

// Local is the machine that the program runs on. It is live where the machine can be asked, which is on Linux.
func Local() *Host { return &Host{root: "/", live: canAsk} }

// Live says whether the kernel can be asked.
func (h *Host) Live() bool { return h.live }
