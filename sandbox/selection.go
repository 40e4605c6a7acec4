package sandbox

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ringfence/ringfence/judge"
	"github.com/ringfence/ringfence/words"
)

// Selection is which checks are judged, by patterns: the id of a check, its area, or such as "ssh/*-password*". Each entry can be several, with
// commas between them. Without Only it is all.
type Selection struct {
	Only []string `json:"only,omitempty"`
	Skip []string `json:"skip,omitempty"`
}

// leftOut are the ids that are not selected. A pattern that no check has is an error.
func (s *Selection) leftOut(checks []judge.Check) ([]string, error) {
	var ids, out []string
	for i := range checks {
		ids = append(ids, checks[i].ID)
	}
	only, skip := apart(s.Only), apart(s.Skip)
	for flag, list := range map[string][]string{"only": only, "skip": skip} {
		for _, p := range list {
			if err := fits(p, ids); err != nil {
				return nil, fmt.Errorf("%s: %w", flag, err)
			}
		}
	}
	for _, id := range ids {
		if len(only) > 0 && !matches(only, id) || matches(skip, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// apart are the patterns of entries. No id has a comma.
func apart(list []string) (patterns []string) {
	for _, entry := range list {
		patterns = append(patterns, strings.Split(entry, ",")...)
	}
	return patterns
}

// errNoneLeft is of a call that would judge nothing, and so find nothing.
var errNoneLeft = errors.New("no check is left to judge: only, skip and the configuration leave all of them out")

func noneLeft(checks []judge.Check, skip []string) bool {
	return !slices.ContainsFunc(checks, func(c judge.Check) bool { return !slices.Contains(skip, c.ID) })
}

func matches(patterns []string, id string) bool {
	area, _, _ := strings.Cut(id, "/")
	for _, p := range patterns {
		if ok, err := path.Match(p, id); err == nil && ok || p == area {
			return true
		}
	}
	return false
}

// fits says what is wrong with a pattern.
func fits(pattern string, ids []string) error {
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Errorf("pattern %q: %w", pattern, err)
	}
	var areas []string
	for _, id := range ids {
		if matches([]string{pattern}, id) {
			return nil
		}
		if area, _, _ := strings.Cut(id, "/"); !slices.Contains(areas, area) {
			areas = append(areas, area)
		}
	}
	if near := words.Nearest(pattern, append(areas, ids...)); near != "" {
		return fmt.Errorf("no check %q: did you mean %s?", pattern, near)
	}
	return fmt.Errorf("no check %q: ringfence checks list names them", pattern)
}
