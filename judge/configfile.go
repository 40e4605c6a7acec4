package judge

import (
	"fmt"

	"sigs.k8s.io/yaml"
)

// ParseConfig reads the text of a configuration file (YAML), which has no field too many. The file is its name, for messages; no text is
// the empty configuration.
func ParseConfig(file string, text []byte) (*Config, error) {
	cfg := new(Config)
	if err := yaml.UnmarshalStrict(text, cfg); err != nil {
		return nil, fmt.Errorf("config: %s: %w", file, err)
	}
	return cfg, nil
}
