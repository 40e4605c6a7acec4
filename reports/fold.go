package reports

import (
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// least is how many columns the last column of a line has to have, for what goes on below it to begin there.
const least = 30

// Folded is a text in lines that a terminal of a width shows whole: one that is longer goes on below its last column, or further in than it began. 0
// leaves all as it is.
func Folded(text string, width int) string {
	if width <= 0 {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, end := strings.CutSuffix(line, "\n")
		if displaywidth.String(line) > width {
			line = folded(line, width)
		}
		b.WriteString(line)
		if end {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func folded(line string, width int) string {
	text := strings.TrimLeft(line, " ")
	head := line[:len(line)-len(text)]
	on := min(displaywidth.String(head)+4, width/2) // where it goes on
	if i := strings.LastIndex(line, "  "); i > len(head) && displaywidth.String(line[:i+2]) <= width-least {
		head, text = line[:i+2], line[i+2:]
		on = displaywidth.String(head)
	}
	return head + strings.Join(wrap(text, width-on), "\n"+strings.Repeat(" ", on))
}
