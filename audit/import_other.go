//go:build !linux || ringfence_portable

package audit

import (
	"io"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/snapshot"
)

// readImported reads a report of another tool; who could have written it is not known here.
func readImported(file string) ([]byte, snapshot.Word, error) {
	f, err := host.OpenRegular(file)
	if err != nil {
		return nil, snapshot.Word{}, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, snapshot.MaxImport+1))
	return b, snapshot.Word{}, err
}
