//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"fmt"

	"github.com/mdlayher/netlink"
	vnl "github.com/vishvananda/netlink"

	"github.com/ringfence/ringfence/host/wire"
	"github.com/ringfence/ringfence/snapshot"
)

// maxEntries bounds the entries of tables of bridges that are kept.
const maxEntries = 4096

// entries notes what is written into the tables of bridges and leads frames elsewhere than to who has been heard: guests fill a table with as many learned
// entries as they like, so that those are passed over one by one.
func (r *netReader) entries(sec *snapshot.Network) {
	own := map[[2]string]bool{}
	links := map[int]*snapshot.Link{}
	bridged := false
	for i := range sec.Links {
		l := &sec.Links[i]
		links[l.Index], bridged = l, bridged || l.Kind == "bridge"
		for _, b := range []int{l.Index, l.Master} {
			own[[2]string{fmt.Sprint(b), l.MAC}] = true
		}
	}
	if sec.FDBRead = true; !bridged {
		return
	}
	kept, err := steady(r.pause(), func() (kept []wire.Entry, err error) {
		err = r.each(wire.ListEntries(), func(b []byte) error {
			e, err := wire.ParseEntry(b)
			if err != nil || e.Bridge == 0 || len(e.MAC) != 6 || e.MAC[0]&1 != 0 || len(kept) > maxEntries {
				return err
			}
			mine := own[[2]string{fmt.Sprint(e.Bridge), e.MAC.String()}]
			if e.Local && !mine || !e.Local && (e.Static || e.Sticky || mine) {
				kept = append(kept, e)
			}
			return nil
		})
		return kept, err
	})
	switch {
	case err != nil:
		sec.FDBUnread = "list tables of bridges: " + err.Error()
		return
	case len(kept) > maxEntries:
		sec.FDBUnread = fmt.Sprintf("more than %d entries are written into tables of bridges", maxEntries)
		kept = kept[:maxEntries]
	}
	for _, e := range kept {
		if l := links[e.Link]; l != nil {
			l.FDB = append(l.FDB, snapshot.FDBEntry{MAC: e.MAC.String(), VLAN: e.VLAN, Local: e.Local, Sticky: e.Sticky})
		}
	}
}

// each hands on the messages of a list one by one, and keeps none.
func (r *netReader) each(ask netlink.Message, take func([]byte) error) (err error) {
	if _, err := r.route.Send(ask); err != nil {
		return err
	}
	for m, rerr := range r.route.ReceiveIter() {
		if rerr != nil {
			return rerr
		}
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			err = vnl.ErrDumpInterrupted
		}
		err = cmp.Or(err, take(m.Data))
	}
	return err
}
