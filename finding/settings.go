package finding

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Setting is a switch of the kernel by its name of sysctl(8), or a keyword of sshd_config(5), and its value.
type Setting struct {
	Name  string `json:"name"`  // as the program calls it
	Value string `json:"value"` // what to set it to
}

// Settings are settings in an order.
type Settings []Setting

// UnmarshalJSON reads a list of settings, or an object of values by name, which are taken in the order of the names. A value in an object is a
// text or a number.
func (s *Settings) UnmarshalJSON(b []byte) error {
	var list []Setting
	if err := json.Unmarshal(b, &list); err == nil {
		*s = list
		return nil
	}
	var byName map[string]any
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if err := d.Decode(&byName); err != nil {
		return errors.New("settings: want a list of name and value, or an object of values by name")
	}
	*s = nil
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		switch v := byName[name].(type) {
		case string, json.Number:
			*s = append(*s, Setting{name, fmt.Sprint(v)})
		default:
			return fmt.Errorf("setting %q: want a text or a number", name)
		}
	}
	return nil
}

// Text is settings as their file has them: "name = value", or of sshd "Name value", one a line.
func (s Settings) Text(kind string) string {
	between := " = "
	if kind == "sshd" {
		between = " "
	}
	var lines []string
	for _, x := range s {
		lines = append(lines, x.Name+between+x.Value)
	}
	return strings.Join(lines, "\n")
}
