package trace

import (
	"slices"

	"github.com/ringfence/ringfence/ruleset"
)

// view is how rules take what the sender writes: of answers to two questions about the same bytes it is not known how they go together.
type view uint16

const (
	byLength   view = 1 << iota // the length in the header
	bySize                      // the length of the packet
	byOffset                    // the length of the header of TCP
	byOptions                   // of TCP, or chunks
	byHops                      // the time to live
	byService                   // the type of service
	byECN                       // bits of it
	bySystem                    // what a SYN looks like
	byData                      // a text in the packet
	byChecksum                  // of the transport header
	byPiece                     // another piece
	byWords                     // any bytes (u32)
)

// related are views of which one says something of another.
var related = []view{
	byLength | bySize | byOffset | byOptions | bySystem, byLength | bySize | byData | byChecksum, byHops | bySystem, byService | byECN,
	byPiece | bySystem, byPiece | byData, byChecksum | bySystem,
}

// viewsOf are those of what has no field, by its name.
var viewsOf = map[string]view{
	lengthText: bySize, wordsText: byWords, systemText: bySystem, ruleset.WrittenData: byData, ruleset.WrittenECN: byECN, ruleset.WrittenMSS: byOptions,
}

const (
	lengthText = "the length of the packet"
	wordsText  = "the bytes of the packet that u32 asks for"
	systemText = "the system that the SYN looks like"
)

// apart says whether nothing that the way has asked before says something of this view, and notes that it was asked.
func (w *walk) apart(v view) bool {
	others := w.views &^ v
	w.views |= v
	if v&byWords != 0 || others&byWords != 0 {
		return others == 0
	}
	return !slices.ContainsFunc(related, func(g view) bool { return g&v != 0 && g&others != 0 })
}
