package reports

import (
	"strings"

	"github.com/clipperhouse/displaywidth"
)

// least is how many columns the last column of a line has to have, for what goes on below it to begin there.
const least = 30

// Folded is a text in lines that a terminal of a width shows whole: one that is longer goes on below its last column, or further in than it began; a
// paragraph, which is a line between empty ones, goes on where it began. 0 leaves all as it is.
func Folded(text string, width int) string {
	if width <= 0 {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		switch {
		case displaywidth.String(line) <= width:
		case (i == 0 || lines[i-1] == "") && (i == len(lines)-1 || lines[i+1] == "") && !strings.Contains(" "+line, "  "):
			lines[i] = strings.Join(wrap(line, width), "\n")
		default:
			lines[i] = folded(line, width)
		}
	}
	return strings.Join(lines, "\n")
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
