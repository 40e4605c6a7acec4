package judge

import (
	"slices"
	"strconv"
	"strings"
)

// States of an agent's version towards the lowest one without a flaw that is known.
const (
	stateBelow   = "below"
	stateFixed   = "fixed"
	stateUnknown = "unknown"
)

// numbers are those of a dotted version; nil where it has something else.
func numbers(version string) []int {
	var list []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil
		}
		list = append(list, n)
	}
	return list
}

// agentState compares the version of an agent with the lowest that has no flaw that is known. A number behind a dash is a later build, a word
// there an earlier one. Numbers of OpenClaw from 30 on are of a line that is repaired beside the newest: what an older one of these has is not told.
func agentState(runtime, version, floor string) string {
	if floor == "" {
		return stateFixed
	}
	base, suffix, dashed := strings.Cut(strings.TrimPrefix(version, "v"), "-")
	v, f := numbers(base), numbers(floor)
	if len(v) == 0 {
		return stateUnknown
	}
	switch c := slices.Compare(v, f); {
	case c < 0 && runtime == "openclaw" && len(v) == 3 && v[2] >= 30:
		return stateUnknown
	case c < 0, c == 0 && dashed && numbers(suffix) == nil:
		return stateBelow
	}
	return stateFixed
}
