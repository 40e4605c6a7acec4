package snapshot

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/words"
)

// Head is what a snapshot says of itself: who it is about, when and by what it was made. Nothing else of it was looked at.
type Head struct {
	Schema      string `json:"schema"`      // ringfence.snapshot/v1: the format and its version
	Tool        Tool   `json:"tool"`        // the program that collected
	CollectedAt string `json:"collectedAt"` // RFC 3339, UTC
	Nonce       string `json:"nonce"`       // what who asked for the snapshot gave; empty is none
	Host        struct {
		Name      string `json:"name"`      // host name; empty is not known
		MachineID string `json:"machineId"` // hash of the machine's id; empty is not known
		BootID    string `json:"bootId"`    // /proc/sys/kernel/random/boot_id; empty is not known
	} `json:"host"`
}

// ReadHead reads the head of a snapshot. Load refuses a snapshot in which a key is there twice, or in another case, so that it can say nothing
// else than its head.
func ReadHead(b []byte) (*Head, error) {
	h := new(Head)
	if err := json.Unmarshal(b, h); err != nil {
		return nil, fmt.Errorf("read snapshot: %w", words.JSONError(b, err))
	}
	return h, known(h.Schema)
}

// Time is when it was collected.
func (h *Head) Time() (time.Time, error) {
	t, err := time.Parse(time.RFC3339, h.CollectedAt)
	if err != nil {
		return t, fmt.Errorf("collectedAt %.40q: want a time of RFC 3339", h.CollectedAt)
	}
	return t, nil
}

// Later says whether a version of this program is later than another, by their numbers; one that has none is not.
func Later(version, than string) bool {
	a, ok := numbers(version)
	b, ok2 := numbers(than)
	if !ok || !ok2 {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return a[i] > b[i]
		}
	}
	return false
}

// numbers are those of MAJOR.MINOR.PATCH; what follows them is left out.
func numbers(version string) (n [3]int, ok bool) {
	version, _, _ = strings.Cut(version, "-")
	version, _, _ = strings.Cut(version, "+")
	parts := strings.Split(version, ".")
	if len(parts) != len(n) {
		return n, false
	}
	for i, p := range parts {
		var err error
		if n[i], err = strconv.Atoi(p); err != nil || n[i] < 0 {
			return n, false
		}
	}
	return n, true
}

// Explain adds to the error of a snapshot that could not be read what made it, if that is a later version than this one: then the snapshot may
// say what this version does not know, and it is not guessed what that means.
func Explain(err error, text []byte, version string) error {
	if err == nil || bytes.Count(text, []byte("{")) > maxHeadObjects {
		return err
	}
	h := new(Head)
	if json.Unmarshal(text, h) != nil || !Later(h.Tool.Version, version) {
		return err
	}
	return fmt.Errorf("%w (ringfence %.40s collected it, and this is %s: judge it with that version or a later one)", err, h.Tool.Version, version)
}

// maxHeadObjects bounds the text of which a head is read to explain an error.
const maxHeadObjects = 1_000_000
