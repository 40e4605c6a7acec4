//go:build linux && !ringfence_portable

package audit

import (
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// readImported reads a report of another tool, and who could have written it.
func readImported(file string) ([]byte, snapshot.Word, error) {
	b, who, err := host.ReadImported(file)
	word := snapshot.WordOf(who.UID)
	switch {
	case who.Others:
		word = snapshot.Word{By: snapshot.ByOthers}
	case err != nil && len(b) == 0 && who == (host.Author{}):
		word = snapshot.Word{}
	}
	return b, word, err
}
