// Package words finds what a mistyped word was meant to be, and puts lists into words.
package words

import (
	"fmt"
	"strings"
)

// WantError says what is wanted in place of what was given.
type WantError string

func (e WantError) Error() string { return "want " + string(e) }

// Wrong is what is wrong with a word that is not in a list.
func Wrong(word string, list []string) error {
	hint := ""
	if near := Nearest(word, list); near != "" {
		hint = fmt.Sprintf("; did you mean %s?", near)
	}
	return WantError(Or(list) + hint)
}

// Or is a list in words.
func Or(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

// Nearest is the word of a list that another was probably meant to be, or to be the beginning or a part of; "" is none.
func Nearest(word string, list []string) string {
	if word == "" {
		return ""
	}
	limit := max(1, min(len(word)/3, 3))
	whole := func(l string) int { return edits(word, l) }
	if near := closest(list, limit, whole); near != "" || len(word) < 3 {
		return near
	}
	part := func(l string) int {
		if strings.Contains(strings.ToLower(l), strings.ToLower(word)) {
			return 0
		}
		return edits(word, l[:min(len(l), len(word)+1)])
	}
	return closest(list, limit, part)
}

// closest is the first word of a list with the least distance, "" if none is within a limit.
func closest(list []string, limit int, distance func(string) int) string {
	best := ""
	for _, l := range list {
		if d := distance(l); d <= limit {
			best, limit = l, d-1
		}
	}
	return best
}

// maxWord bounds the words that are compared, in bytes.
const maxWord = 100

// edits is how many letters have to be put in, taken out, replaced or swapped with the next one to make one word of another.
func edits(a, b string) int {
	a, b = strings.ToLower(a[:min(len(a), maxWord)]), strings.ToLower(b[:min(len(b), maxWord)])
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
