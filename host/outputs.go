package host

import (
	"maps"
	"slices"
)

// WriteFiles writes all files or none, as far as that can be: all are opened before any is written, and regular
// ones take their places at the end. What is written to a device or a FIFO cannot be taken back, so those come
// after the regular ones were written and before they are put in place.
func WriteFiles(files map[string][]byte) error {
	outs := map[string]*Output{}
	defer func() {
		for _, o := range outs {
			o.Discard()
		}
	}()
	names := slices.Sorted(maps.Keys(files))
	for _, n := range names {
		o, err := OpenOutput(n)
		if err != nil {
			return err
		}
		outs[n] = o
	}
	for _, stream := range []bool{false, true} {
		for _, n := range names {
			if outs[n].Stream() != stream {
				continue
			}
			if err := outs[n].Write(files[n]); err != nil {
				return err
			}
		}
	}
	for _, n := range names {
		if err := outs[n].Commit(); err != nil {
			return err
		}
	}
	return nil
}
