package main

import (
	"fmt"
	"os"

	"breakwater"
	"breakwater/internal/detect"
)

// RulesCmd holds the commands on detection rules.
type RulesCmd struct {
	List  RulesListCmd  `cmd:"" help:"List the shipped rules."`
	Check RulesCheckCmd `cmd:"" help:"Check rule files and run their own examples."`
}

// RulesListCmd lists the shipped rules.
type RulesListCmd struct{}

// Help shows an example.
func (RulesListCmd) Help() string { return "Example:\n\n  breakwater rules list" }

// Run lists them.
func (RulesListCmd) Run(std streams) error {
	rules, err := detect.Shipped()
	if err != nil {
		return err
	}
	fmt.Fprintf(std.out, "%-26s %-9s %-10s %s\n", "RULE", "SEVERITY", "TECHNIQUE", "TITLE")
	for _, r := range rules {
		fmt.Fprintf(std.out, "%-26s %-9s %-10s %s\n", r.ID, r.Severity, r.Technique, r.Title)
	}
	return nil
}

// RulesCheckCmd checks rule files.
type RulesCheckCmd struct {
	Files []string `arg:"" name:"file" help:"Rule files (YAML)."`
}

// Help shows an example.
func (RulesCheckCmd) Help() string { return "Example:\n\n  breakwater rules check my-rule.yaml" }

// Run checks each, and stops at the first that is wrong.
func (c *RulesCheckCmd) Run(std streams) error {
	for _, file := range c.Files {
		text, err := os.ReadFile(file)
		if err != nil {
			return &breakwater.Error{Kind: breakwater.Unavailable, Message: "rule " + file + " cannot be read: it is missing or not yours to read", Err: err}
		}
		rule, err := detect.ParseRule(text, file)
		if err != nil {
			return err
		}
		if err := rule.Check(); err != nil {
			return err
		}
		fmt.Fprintf(std.out, "%s: rule %s is right\n", file, rule.ID)
	}
	return nil
}
