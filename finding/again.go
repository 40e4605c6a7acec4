package finding

import (
	"fmt"
	"slices"
	"strings"
)

// madeAgain finds the containers of two reports that are the same but for their names: those that are in one report alone, of the same image, with the
// same command, in the same network. It returns by name what each is called in both. Of several that are alike, one stands for another in the
// order of their names.
func madeAgain(before, after []Container) (old, now map[string]string) {
	alone := func(list, other []Container) map[Container][]string {
		out := map[Container][]string{}
		for _, c := range list {
			if c.Image == "" || slices.ContainsFunc(other, func(o Container) bool { return o.Name == c.Name }) {
				continue
			}
			shape := c
			shape.Name = ""
			out[shape] = append(out[shape], c.Name)
		}
		return out
	}
	old, now = map[string]string{}, map[string]string{}
	gone, come := alone(before, after), alone(after, before)
	for shape, names := range gone {
		slices.Sort(names)
		slices.Sort(come[shape])
		for i := range min(len(names), len(come[shape])) {
			same := fmt.Sprintf("%s %s %s #%d", shape.Image, shape.Command, shape.Network, i)
			old[names[i]], now[come[shape][i]] = same, same
		}
	}
	return old, now
}

// sameContainer is a key with the names of containers that were made again replaced by what they are called in both reports.
func (s *side) sameContainer(key string) string {
	if len(s.again) == 0 {
		return key
	}
	words := strings.Split(key, " ")
	for i, w := range words {
		name := strings.Trim(w, "(),:;")
		if same := s.again[name]; same != "" && name != "" {
			words[i] = strings.Replace(w, name, same, 1)
		}
	}
	return strings.Join(words, " ")
}
