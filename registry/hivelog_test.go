package registry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// logOf is a log with one entry for each step from one hive to the next.
func logOf(seq uint32, hives ...[]byte) []byte {
	le := binary.LittleEndian
	log := make([]byte, 512)
	copy(log, "regf")
	for at, v := range map[int]uint32{4: seq, 8: seq, 20: 1, 24: 5, 28: 6, 32: 1} {
		le.PutUint32(log[at:], v)
	}
	le.PutUint32(log[508:], headSum(log))
	for i := range hives[1:] {
		from, to := hives[i][base:], hives[i+1][base:]
		var refs, data []byte
		for off := 0; off < len(to); off += 512 {
			if page := to[off:min(off+512, len(to))]; off >= len(from) || !bytes.Equal(page, from[off:min(off+512, len(from))]) {
				refs = le.AppendUint32(le.AppendUint32(refs, uint32(off)), uint32(len(page)))
				data = append(data, page...)
			}
		}
		e := append(slices.Concat(make([]byte, 40), refs, data), make([]byte, 511)...)
		e = e[:len(e)/512*512]
		copy(e, "HvLE")
		for at, v := range map[int]uint32{4: uint32(len(e)), 12: seq + uint32(i), 16: uint32(len(to)), 20: uint32(len(refs) / 8)} {
			le.PutUint32(e[at:], v)
		}
		le.PutUint64(e[24:], marvin(e[40:]))
		le.PutUint64(e[32:], marvin(e[:32]))
		log = append(log, e...)
	}
	return log
}

// unfinished is a hive that has only begun to be written as a later one.
func unfinished(b []byte, want, has uint32) []byte {
	b = slices.Clone(b)
	binary.LittleEndian.PutUint32(b[4:], want)
	binary.LittleEndian.PutUint32(b[8:], has)
	binary.LittleEndian.PutUint32(b[508:], headSum(b))
	return b
}

// TestLogsOfHives: a hive with its logs says what it was to say, whichever log has which entry; one of which a log lacks something stays unfinished.
func TestLogsOfHives(t *testing.T) {
	tree := sampleTree(t)
	first := hiveOf(tree)
	tree.Add("Added").Set(Value{Name: "n", Type: SZ, Data: bytes16("one")})
	second := hiveOf(tree)
	tree.Add("Larger").Set(Value{Name: "data", Type: Binary, Data: bytes.Repeat([]byte("ab"), 20000)})
	third := hiveOf(tree)
	for i := range second[:base] { // the root stays where it is in a hive that is written to: these are made anew
		first[i] = second[i]
	}
	root := binary.LittleEndian.Uint32(third[36:])
	binary.LittleEndian.PutUint32(first[36:], root)
	recovered := func(b []byte, logs ...[]byte) ([]byte, error) {
		var list []*HiveLog
		for _, l := range logs {
			log, err := OpenHiveLog(bytes.NewReader(l), int64(len(l)))
			if err != nil {
				return nil, err
			}
			list = append(list, log)
		}
		return Recover(bytes.NewReader(b), int64(len(b)), list...)
	}
	both := logOf(7, first, second, third)
	for name, logs := range map[string][][]byte{"one log": {both}, "two logs": {logOf(8, second, third), logOf(7, first, second)}, "old entries before": {logOf(6, third, first, second, third)}} {
		b, err := recovered(unfinished(first, 8, 7), logs...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		h, err := OpenHive(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		k, err := h.Root()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := dump(t, k, ""), dump(t, tree, ""); got != want || h.Dirty {
			t.Errorf("%s: dirty %v, got\n%s", name, h.Dirty, got)
		}
	}
	damaged := slices.Clone(both)
	damaged[600]++
	for name, c := range map[string]struct {
		hive []byte
		logs [][]byte
	}{
		"no log":              {unfinished(first, 8, 7), nil},
		"a log of later":      {unfinished(first, 8, 7), [][]byte{logOf(8, second, third)}},
		"a damaged log":       {unfinished(first, 8, 7), [][]byte{damaged}},
		"too few entries":     {unfinished(first, 10, 7), [][]byte{both}},
		"no log at all":       {unfinished(first, 8, 7), [][]byte{first}},
		"a head that is torn": {append([]byte("regf\x09"), unfinished(first, 8, 7)[5:]...), [][]byte{both}},
	} {
		if _, err := recovered(c.hive, c.logs...); err == nil {
			t.Errorf("%s: it is recovered", name)
		}
	}
	if _, err := OpenHiveLog(bytes.NewReader(nil), 0); !errors.Is(err, ErrNotLog) {
		t.Errorf("an empty log: %v", err)
	}
	if got := marvin([]byte("ringfence")); got != 0x53c021a6607e7759 { // as logs of Windows have it
		t.Errorf("the hash of entries is %#x", got)
	}
}

// FuzzHiveLog: no log makes the reader panic, or a hive longer than its bound.
func FuzzHiveLog(f *testing.F) {
	tree := new(Tree)
	first := hiveOf(tree)
	tree.Add("a")
	log := logOf(7, first, hiveOf(tree))
	f.Add(log, true)
	f.Fuzz(func(t *testing.T, b []byte, mend bool) {
		if mend && len(b) >= 552 { // past the sums
			le := binary.LittleEndian
			le.PutUint32(b[508:], headSum(b))
			if n := int(le.Uint32(b[516:])); n >= 40 && n <= len(b)-512 {
				le.PutUint64(b[536:], marvin(b[552:512+n]))
				le.PutUint64(b[544:], marvin(b[512:544]))
			}
		}
		l, err := OpenHiveLog(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		dirty := unfinished(first, 8, 7)
		if r, err := Recover(bytes.NewReader(dirty), int64(len(dirty)), l); err == nil && len(r) > maxRecovered {
			t.Error("longer than the bound")
		}
	})
}
