package yamlfile

import (
	"fmt"
	"regexp"
	"sort"
	"strings"
	"unicode/utf8"

	node "go.yaml.in/yaml/v3"
)

var lineOf = regexp.MustCompile(`^line (\d+): `)

// syntax is an error of the parser, with the place that it tells.
func syntax(file string, err error) error {
	line, what := inWords(err)
	if line != "" {
		return fmt.Errorf("%s:%s: %s", file, line, what)
	}
	return fmt.Errorf("%s: %s", file, what)
}

// inWords is what an error of the parser says without what it begins with, and the line that it tells.
func inWords(err error) (line, what string) {
	s := strings.Join(strings.Fields(err.Error()), " ")
	for _, p := range []string{
		"error converting YAML to JSON: ", "error unmarshaling JSON: ", "while decoding JSON: ", "yaml: ", "unmarshal errors: ",
	} {
		s = strings.TrimPrefix(s, p)
	}
	if m := lineOf.FindStringSubmatch(s); m != nil {
		return m[1], s[len(m[0]):]
	}
	return "", s
}

// broken is an error of the syntax of a text, with the place from which on the parser gives it. What it tells of lines is about where
// something began, or one less than that, and it tells no column: so it is asked about less and less of the text.
func broken(file, text string, err error) error {
	_, what := inWords(err)
	same := func(n int) bool {
		d := node.NewDecoder(strings.NewReader(text[:n]))
		for {
			var doc node.Node
			if less := d.Decode(&doc); less != nil {
				return less.Error() == err.Error()
			}
		}
	}
	// Where the error is another one before and this one after, it is made.
	end := max(1, sort.Search(len(text), same))
	before := strings.TrimRight(text[:end-1], " \t\r\n") // of what is open over the end of a line, the end
	if !strings.HasSuffix(text[:end], "\n") {
		before = text[:end-1]
	}
	line := 1 + strings.Count(before, "\n")
	column := 1 + utf8.RuneCountInString(before[1+strings.LastIndexByte(before, '\n'):])
	return fmt.Errorf("%s:%d:%d: %s", file, line, column, what)
}

// again is the first key that a mapping has twice. Aliases lead to what is looked at where it stands.
func again(n *node.Node) *node.Node {
	seen := map[string]bool{}
	for i, below := range n.Content {
		if n.Kind == node.MappingNode && i%2 == 0 && below.Kind == node.ScalarNode {
			if seen[below.Value] {
				return below
			}
			seen[below.Value] = true
		}
		if twice := again(below); twice != nil {
			return twice
		}
	}
	return nil
}
