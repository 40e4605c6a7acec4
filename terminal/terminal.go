// Package terminal decides how wide and in which colours something is printed, by what the place that it goes to is and what its user asks for,
// and waits for what is typed.
package terminal

import (
	"cmp"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"

	"github.com/ringfence/ringfence/escape"
)

// Of says whether a stream is a terminal, and how many columns it has; 0 is not known.
func Of(stream any) (width int, is bool) {
	f, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	w, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		w = 0
	}
	return w, true
}

// Columns is how many columns a stream has that is a terminal; 0 is none, or not known.
func Columns(stream any) int {
	n, _ := Of(stream)
	return n
}

// usual is how many columns of text are read well where nothing says how many there are.
const usual = 100

// ColumnsFor is how many columns a text has that goes to a stream: as Width says, else as many as are read well.
func ColumnsFor(stream any) int {
	n, is := Of(stream)
	return cmp.Or(Width(n, is, os.Getenv), usual)
}

// Moves says whether a stream is a terminal on which a line can be written over, and how many columns it has; 0 is not known.
func Moves(stream any) (width int, does bool) {
	width, is := Of(stream)
	return width, is && os.Getenv("TERM") != "dumb"
}

// The widths that COLUMNS can say.
const minWidth, maxWidth = 40, 1000

// Width is how many columns a report has: those of the terminal, else what COLUMNS says; 0 leaves it to the report.
func Width(columns int, is bool, getenv func(string) string) int {
	if is && columns > 0 {
		return columns
	}
	n, err := strconv.Atoi(getenv("COLUMNS"))
	if err != nil || n < minWidth || n > maxWidth {
		return 0
	}
	return n
}

// ASCII says whether a terminal shows no more than ASCII, by the locale that its user has set (setlocale(3)). Where none is, most show all.
func ASCII(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(getenv(name)); v != "" {
			return !strings.Contains(v, "utf-8") && !strings.Contains(v, "utf8")
		}
	}
	return false
}

// Shown is a text as the terminal of whoever started the program shows it.
func Shown(text string) string {
	if ASCII(os.Getenv) {
		return escape.ASCII(text)
	}
	return text
}

// Modes are the words that say when there is colour.
var Modes = []string{"auto", "always", "never"}

// Color says whether a report has colours. A mode other than auto decides; then NO_COLOR (no-color.org), FORCE_COLOR and CLICOLOR_FORCE
// (bixense.com/clicolors), which a CI sets whose log shows colours; then CLICOLOR and TERM; and at last whether it goes to a terminal.
func Color(mode string, is bool, getenv func(string) string) bool {
	set := func(name string) bool {
		v := getenv(name)
		return v != "" && v != "0" && !strings.EqualFold(v, "false")
	}
	switch {
	case mode == "always":
		return true
	case mode == "never", getenv("NO_COLOR") != "":
		return false
	case set("FORCE_COLOR"), set("CLICOLOR_FORCE"):
		return true
	case getenv("CLICOLOR") == "0", getenv("FORCE_COLOR") == "0", getenv("TERM") == "dumb":
		return false
	default:
		return is
	}
}

// Waiting is what a line of progress says of work that several do at once.
type Waiting struct {
	all, width int
	left       []string
}

// Wait begins with the names of those who work. The line has fewer columns than the terminal: one that is full goes on in the next line,
// which is not written over. 0 columns are not known.
func Wait(names []string, columns int) *Waiting {
	return &Waiting{all: len(names), width: columns - 1, left: append([]string(nil), names...)}
}

// maxNamed is how many are named in the line.
const maxNamed = 3

// Done takes one out who has ended, and says who is waited for, "" once all have ended.
func (w *Waiting) Done(name string) string {
	for i, n := range w.left {
		if n == name {
			w.left = append(w.left[:i], w.left[i+1:]...)
			break
		}
	}
	if len(w.left) == 0 {
		return ""
	}
	line := ""
	for named := min(len(w.left), maxNamed); named >= 0; named-- {
		if line = w.line(named); w.width < 0 || len(line) <= w.width {
			return line
		}
	}
	return line[:w.width]
}

// line names so many of those who are waited for.
func (w *Waiting) line(named int) string {
	s := strconv.Itoa(w.all-len(w.left)) + "/" + strconv.Itoa(w.all) + " seen"
	if named == 0 {
		return s
	}
	s += ", waiting for " + strings.Join(w.left[:named], ", ")
	if n := len(w.left) - named; n > 0 {
		s += " and " + strconv.Itoa(n) + " more"
	}
	return s
}
