//go:build linux && !ringfence_portable

package checks

import (
	"errors"
	"fmt"
	"path"

	"sigs.k8s.io/yaml"
)

const (
	aiderFile = ".aider.conf.yml"
	aiderYes  = "AIDER_YES_ALWAYS"
)

// aiderAnswers says of settings of aider whether they say if it answers its own questions, and what.
func aiderAnswers(text string) (said, yes bool, err error) {
	var m map[string]any
	if len(text) > maxYAML || yaml.Unmarshal([]byte(text), &m) != nil {
		return false, false, errMalformed
	}
	v := valueAt(m, "yes_always")
	return v != nil, isTrue(fmt.Sprint(v)), nil
}

// aiderBrake is what a running aider answers its own questions by, if it is not the file of an account, which is said by itself. Of settings of the
// home, of the root of the repository, of the working directory and of --config the last counts, and a file of variables before these.
func (s *Scan) aiderBrake(p *process) (how string, err error) {
	env, err := s.environ(p)
	if err != nil && !gone(err) {
		return "", fmt.Errorf("its environment was not read: %w", cause(err))
	}
	cwd, err := s.Host.Readlink(fmt.Sprintf("/proc/%d/cwd", p.PID))
	if err != nil {
		return "", fmt.Errorf("its working directory, which has settings, was not read: %w", cause(err))
	}
	project, err := s.projectDirs(p, cwd)
	if err != nil {
		return "", err
	}
	repository := project[len(project)-1]
	if repository == "/" { // there is none above it
		repository = cwd
	}
	dirs := []string{s.homeOf(p, env, "", ""), repository, cwd}
	var settings, variables []string
	for _, dir := range dirs {
		settings, variables = append(settings, path.Join(dir, aiderFile)), append(variables, path.Join(dir, ".env"))
	}
	for _, v := range optionValues(p.argv, "--config", "-c") {
		settings = append(settings, openCodeAt(cwd, v))
	}
	for _, v := range optionValues(p.argv, "--env-file", "--env") {
		variables = append(variables, openCodeAt(cwd, v))
	}
	read := func(file string) string {
		b, _, rerr := s.readNamed(p, file)
		if rerr != nil && !gone(rerr) {
			err = errors.Join(err, fmt.Errorf("%s: %w", file, cause(rerr)))
		}
		return string(b)
	}
	for _, file := range settings {
		said, yes, serr := aiderAnswers(read(file))
		if err = errors.Join(err, serr); !said {
			continue
		}
		if how = ""; yes && !s.isHomeFile(file, aiderFile) {
			how = file + " (yes-always)"
		}
	}
	for _, file := range variables {
		if isTrue(envFile(read(file))[aiderYes]) {
			how = file + " (" + aiderYes + ")"
		}
	}
	if how == "" && err != nil {
		return "", firstError(err)
	}
	return how, nil
}
