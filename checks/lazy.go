//go:build linux && !ringfence_portable

package checks

import (
	"regexp"
	"sync"
)

// lazyRegexp is a regular expression that is compiled when it is asked first. Most are about programs and files that a host does not have, and
// the process that judges, which is the same program, asks none.
type lazyRegexp struct {
	text string
	once sync.Once
	re   *regexp.Regexp
}

// lazily is MustCompile, later. A test compiles them all.
func lazily(text string) *lazyRegexp { return &lazyRegexp{text: text} }

func (l *lazyRegexp) get() *regexp.Regexp {
	l.once.Do(func() { l.re = regexp.MustCompile(l.text) })
	return l.re
}

func (l *lazyRegexp) FindAllString(s string, n int) []string { return l.get().FindAllString(s, n) }

func (l *lazyRegexp) FindAllStringSubmatch(s string, n int) [][]string {
	return l.get().FindAllStringSubmatch(s, n)
}

func (l *lazyRegexp) FindAllSubmatch(b []byte, n int) [][][]byte {
	return l.get().FindAllSubmatch(b, n)
}

func (l *lazyRegexp) FindString(s string) string { return l.get().FindString(s) }

func (l *lazyRegexp) FindStringIndex(s string) []int { return l.get().FindStringIndex(s) }

func (l *lazyRegexp) FindStringSubmatch(s string) []string { return l.get().FindStringSubmatch(s) }

func (l *lazyRegexp) Match(b []byte) bool { return l.get().Match(b) }

func (l *lazyRegexp) MatchString(s string) bool { return l.get().MatchString(s) }

func (l *lazyRegexp) ReplaceAll(b, with []byte) []byte { return l.get().ReplaceAll(b, with) }

func (l *lazyRegexp) ReplaceAllString(s, with string) string {
	return l.get().ReplaceAllString(s, with)
}

func (l *lazyRegexp) ReplaceAllStringFunc(s string, f func(string) string) string {
	return l.get().ReplaceAllStringFunc(s, f)
}
