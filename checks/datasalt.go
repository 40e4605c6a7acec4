//go:build linux && !ringfence_portable

package checks

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"

	"sigs.k8s.io/yaml"
)

// saltAccess reads whom the master of Salt takes as a minion: by the keys that somebody accepted, or everybody. Commands go from it to minions alone; a
// minion reads files, and the pillars that are for the name that it gives itself.
func saltAccess(d *dataFiles) access {
	dir := cmp.Or(last(optionValues(d.argv, "-c", "--config-dir")), "/etc/salt")
	told, queue := map[string]any{"default_include": "master.d/*.conf"}, []string{path.Join(dir, "master")}
	for i := 0; i < len(queue); i++ {
		text, err := d.text(queue[i])
		if gone(err) && i == 0 { // the defaults
			err = nil
		}
		var m map[string]any
		if err == nil && yaml.Unmarshal([]byte(text), &m) != nil {
			err = fmt.Errorf("%s: %w", queue[i], errMalformed)
		}
		if err != nil {
			return access{err: err}
		}
		for _, key := range []string{"auto_accept", "open_mode", "autosign_file", "autosign_grains_dir", "default_include"} {
			if m[key] != nil && (i == 0 || key != "default_include") {
				told[key] = m[key]
			}
		}
		patterns := texts(m["include"])
		if i == 0 {
			patterns = append(texts(told["default_include"]), patterns...)
		}
		for _, pattern := range patterns {
			if !path.IsAbs(pattern) {
				pattern = path.Join(dir, pattern)
			}
			files, more := d.s.globIn(d.p, pattern)
			if more || len(queue)+len(files) > maxDataFiles {
				return access{err: errManyFiles}
			}
			for _, f := range files {
				if !slices.Contains(queue, f) {
					queue = append(queue, f)
				}
			}
		}
	}
	for _, key := range []string{"auto_accept", "open_mode"} {
		if isYes(fmt.Sprint(told[key])) {
			return access{login: dataNone, how: key + " of its file", gives: "becomes one of its minions, and reads the files and pillars of the name that it takes"}
		}
	}
	if told["autosign_file"] != nil || told["autosign_grains_dir"] != nil {
		return access{err: errors.New("which names it takes by themselves is in files of autosign, which are not read")}
	}
	return access{login: dataAsks}
}
