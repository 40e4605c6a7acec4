package judge

import (
	"fmt"

	"github.com/ringfence/ringfence/yamlfile"
)

// ParseConfig reads the text of a configuration file (YAML), which has no field too many. The file is its name, for messages; no text is
// the empty configuration.
func ParseConfig(file string, text []byte) (*Config, error) {
	cfg := new(Config)
	if err := yamlfile.Unmarshal(file, text, cfg); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return cfg, nil
}
