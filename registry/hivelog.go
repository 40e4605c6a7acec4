package registry

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
)

// Bounds of a hive that is recovered, which is read whole, and of its logs.
const (
	maxRecovered  = 512 << 20
	maxLog        = 256 << 20
	maxLogEntries = 100_000
	maxGap        = 1 << 20 // of new bins that an entry does not have
)

// ErrNotLog is returned for a file that is no log of a hive in the form that Windows has written since 8.1.
var ErrNotLog = errors.New("it is no log of a hive of Windows 8.1 or later")

var errLogs = errors.New("its logs do not have all that was not written")

// HiveLog is a log of a hive (.LOG1, .LOG2): the pages that are still to be written to it, entry by entry.
type HiveLog struct{ entries map[uint32]logEntry }

// logEntry are the pages of one write.
type logEntry struct {
	bins  uint32 // how long the bins of the hive are then
	pages []logPage
}

// size is how much the pages have.
func (e *logEntry) size() (n int64) {
	for _, p := range e.pages {
		n += int64(len(p.data))
	}
	return n
}

// logPage is where in the bins which bytes are.
type logPage struct {
	off  uint32
	data []byte
}

// OpenHiveLog reads a log. Entries after one that is not whole were never finished, and are left out.
func OpenHiveLog(r io.ReaderAt, size int64) (*HiveLog, error) {
	if size > maxLog {
		return nil, fmt.Errorf("log of a hive: %w", ErrTooMuch)
	}
	b := make([]byte, max(size, 0))
	if _, err := r.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("log of a hive: %w", err)
	}
	if len(b) < 512 || string(b[:4]) != "regf" || binary.LittleEndian.Uint32(b[28:]) != 6 || !headWhole(b) {
		return nil, ErrNotLog
	}
	log := &HiveLog{entries: map[uint32]logEntry{}}
	for next, n := b[512:], 0; n < maxLogEntries; n++ {
		e, seq, length, ok := oneEntry(next)
		if !ok {
			break
		}
		log.entries[seq] = e
		next = next[length:]
	}
	return log, nil
}

// oneEntry reads one entry.
func oneEntry(b []byte) (e logEntry, seq uint32, length int, ok bool) {
	le := binary.LittleEndian
	if len(b) < 512 || string(b[:4]) != "HvLE" {
		return e, 0, 0, false
	}
	size, count := int64(le.Uint32(b[4:])), int64(le.Uint32(b[20:]))
	at := 40 + 8*count
	if size%512 != 0 || size > int64(len(b)) || at > size || marvin(b[40:size]) != le.Uint64(b[24:]) || marvin(b[:32]) != le.Uint64(b[32:]) {
		return e, 0, 0, false
	}
	e.bins = le.Uint32(b[16:])
	for i := range count {
		ref := b[40+8*i:]
		off, n := le.Uint32(ref), int64(le.Uint32(ref[4:]))
		if n > size-at || int64(off)+n > int64(e.bins) {
			return e, 0, 0, false
		}
		e.pages = append(e.pages, logPage{off, b[at : at+n]})
		at += n
	}
	return e, le.Uint32(b[12:]), int(size), true
}

// Recover is a hive with what its logs have and it has not: what Windows makes of them when it next loads it.
func Recover(r io.ReaderAt, size int64, logs ...*HiveLog) ([]byte, error) {
	if size > maxRecovered || size < base {
		return nil, fmt.Errorf("hive: %w", ErrTooMuch)
	}
	b := make([]byte, size)
	if _, err := r.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("hive: %w", err)
	}
	if string(b[:4]) != "regf" || !headWhole(b) {
		return nil, fmt.Errorf("hive: %w: its head is not whole", ErrDamaged)
	}
	le := binary.LittleEndian
	want, seq := le.Uint32(b[4:]), le.Uint32(b[8:])
	applied := 0
	for ; applied < maxLogEntries; applied++ {
		e, ok := entryAt(logs, seq)
		if !ok {
			break
		}
		more := int64(e.bins) + base - int64(len(b))
		if int64(e.bins)+base > maxRecovered || more > e.size()+maxGap {
			return nil, fmt.Errorf("hive: %w", ErrTooMuch)
		}
		if more > 0 {
			b = append(b, make([]byte, more)...)
		}
		for _, p := range e.pages {
			copy(b[base+int64(p.off):], p.data)
		}
		le.PutUint32(b[40:], e.bins)
		seq++
	}
	if applied == 0 || int32(seq-want) < 0 {
		return nil, fmt.Errorf("hive: %w", errLogs)
	}
	le.PutUint32(b[4:], seq)
	le.PutUint32(b[8:], seq)
	le.PutUint32(b[508:], headSum(b))
	return b, nil
}

// entryAt is the entry of a number in the logs.
func entryAt(logs []*HiveLog, seq uint32) (logEntry, bool) {
	for _, l := range logs {
		if e, ok := l.entries[seq]; ok {
			return e, true
		}
	}
	return logEntry{}, false
}

// headSum is the sum over the head of a hive or a log.
func headSum(b []byte) uint32 {
	var sum uint32
	for i := 0; i < 508; i += 4 {
		sum ^= binary.LittleEndian.Uint32(b[i:])
	}
	switch sum {
	case 0:
		return 1
	case 0xffffffff:
		return 0xfffffffe
	}
	return sum
}

func headWhole(b []byte) bool { return headSum(b) == binary.LittleEndian.Uint32(b[508:]) }

// marvin is the hash of entries: Marvin32 with the key that logs of hives have.
func marvin(b []byte) uint64 {
	lo, hi := uint32(0x7a4e55c5), uint32(0x82ef4d88)
	mix := func(v uint32) {
		lo += v
		hi ^= lo
		lo = bits.RotateLeft32(lo, 20) + hi
		hi = bits.RotateLeft32(hi, 9) ^ lo
		lo = bits.RotateLeft32(lo, 27) + hi
		hi = bits.RotateLeft32(hi, 19)
	}
	for ; len(b) >= 4; b = b[4:] {
		mix(binary.LittleEndian.Uint32(b))
	}
	last := uint32(0x80)
	for i := len(b) - 1; i >= 0; i-- {
		last = last<<8 | uint32(b[i])
	}
	mix(last)
	mix(0)
	return uint64(hi)<<32 | uint64(lo)
}
