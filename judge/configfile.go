package judge

import (
	"fmt"

	"github.com/ringfence/ringfence/yamlfile"
	"github.com/ringfence/ringfence/zones"
)

// ParseConfig reads the text of a configuration file (YAML), which has no field too many. The file is its name, for messages; no text is
// the empty configuration.
func ParseConfig(file string, text []byte) (*Config, error) {
	cfg := new(Config)
	if err := yamlfile.Unmarshal(file, text, cfg); err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	cfg.place = func(err error) error { return yamlfile.Locate(file, text, err) }
	for _, name := range sorted(cfg.Zones) {
		if err := (zones.Config{name: cfg.Zones[name]}).Validate(); err != nil {
			return nil, fmt.Errorf("config: %w", cfg.place(yamlfile.At(err, "zones", name)))
		}
	}
	return cfg, nil
}
