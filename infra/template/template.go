// Package template reads template.yaml, the one description of what is
// deployed, for local runs and tests. Its own tests check the template.
package template

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.yaml.in/yaml/v4"
)

// Tables returns the tables of template.yaml by the name of their resource
// ("ConnectorsTable", "AnswersTable"), each ready for CreateTable once it has
// a TableName: attributes, keys, indexes, billing and stream as deployed.
// Encryption, recovery, protection and expiry are left out: no local DynamoDB
// implements them. It works from any folder of the module.
func Tables() (map[string]*dynamodb.CreateTableInput, error) {
	found, err := resources("AWS::DynamoDB::Table")
	if err != nil {
		return nil, err
	}
	tables := map[string]*dynamodb.CreateTableInput{}
	for name, properties := range found {
		if tables[name], err = table(&properties); err != nil {
			return nil, fmt.Errorf("template.yaml: %s: %w", name, err)
		}
	}
	return tables, nil
}

// Variables returns the names of the environment variables of each function of
// template.yaml, by the name of its resource ("Submit"). It works from any folder of the
// module.
func Variables() (map[string][]string, error) {
	found, err := resources("AWS::Serverless::Function")
	if err != nil {
		return nil, err
	}
	variables := map[string][]string{}
	for name, properties := range found {
		var p struct {
			Environment struct {
				Variables map[string]yaml.Node `yaml:"Variables"`
			} `yaml:"Environment"`
		}
		if err := properties.Decode(&p); err != nil {
			return nil, fmt.Errorf("template.yaml: %s: %w", name, err)
		}
		variables[name] = slices.Sorted(maps.Keys(p.Environment.Variables))
	}
	return variables, nil
}

// resources are the properties of the resources of a type in template.yaml, by name.
func resources(kind string) (map[string]yaml.Node, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		return nil, err
	}
	// Nodes, because decoding into values silently drops !Ref and similar tags.
	var document struct {
		Resources map[string]struct {
			Type       string    `yaml:"Type"`
			Properties yaml.Node `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("template.yaml: %w", err)
	}
	found := map[string]yaml.Node{}
	for name, resource := range document.Resources {
		if resource.Type == kind {
			found[name] = resource.Properties
		}
	}
	return found, nil
}

// Root is the module's folder, found upwards from the working directory.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "template.yaml")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("template.yaml is in no folder above the working directory")
		}
		dir = parent
	}
}

type key struct {
	AttributeName string        `yaml:"AttributeName"`
	KeyType       types.KeyType `yaml:"KeyType"`
}

type index struct {
	IndexName  string `yaml:"IndexName"`
	KeySchema  []key  `yaml:"KeySchema"`
	Projection struct {
		ProjectionType   types.ProjectionType `yaml:"ProjectionType"`
		NonKeyAttributes []string             `yaml:"NonKeyAttributes"`
	} `yaml:"Projection"`
}

type properties struct {
	BillingMode          types.BillingMode `yaml:"BillingMode"`
	AttributeDefinitions []struct {
		AttributeName string                    `yaml:"AttributeName"`
		AttributeType types.ScalarAttributeType `yaml:"AttributeType"`
	} `yaml:"AttributeDefinitions"`
	KeySchema              []key   `yaml:"KeySchema"`
	GlobalSecondaryIndexes []index `yaml:"GlobalSecondaryIndexes"`
	LocalSecondaryIndexes  []index `yaml:"LocalSecondaryIndexes"`
	StreamSpecification    struct {
		StreamViewType types.StreamViewType `yaml:"StreamViewType"`
	} `yaml:"StreamSpecification"`
}

func table(node *yaml.Node) (*dynamodb.CreateTableInput, error) {
	if err := literal(node, "BillingMode", "AttributeDefinitions", "KeySchema",
		"GlobalSecondaryIndexes", "LocalSecondaryIndexes", "StreamSpecification"); err != nil {
		return nil, err
	}
	var p properties
	if err := node.Decode(&p); err != nil {
		return nil, err
	}
	in := &dynamodb.CreateTableInput{BillingMode: p.BillingMode, KeySchema: keySchema(p.KeySchema)}
	for _, a := range p.AttributeDefinitions {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: aws.String(a.AttributeName), AttributeType: a.AttributeType,
		})
	}
	for _, i := range p.GlobalSecondaryIndexes {
		in.GlobalSecondaryIndexes = append(in.GlobalSecondaryIndexes, types.GlobalSecondaryIndex{
			IndexName: aws.String(i.IndexName), KeySchema: keySchema(i.KeySchema), Projection: i.projection(),
		})
	}
	for _, i := range p.LocalSecondaryIndexes {
		in.LocalSecondaryIndexes = append(in.LocalSecondaryIndexes, types.LocalSecondaryIndex{
			IndexName: aws.String(i.IndexName), KeySchema: keySchema(i.KeySchema), Projection: i.projection(),
		})
	}
	if view := p.StreamSpecification.StreamViewType; view != "" {
		in.StreamSpecification = &types.StreamSpecification{StreamEnabled: aws.Bool(true), StreamViewType: view}
	}
	return in, nil
}

func keySchema(keys []key) []types.KeySchemaElement {
	var schema []types.KeySchemaElement
	for _, k := range keys {
		schema = append(schema, types.KeySchemaElement{AttributeName: aws.String(k.AttributeName), KeyType: k.KeyType})
	}
	return schema
}

func (i index) projection() *types.Projection {
	return &types.Projection{ProjectionType: i.Projection.ProjectionType, NonKeyAttributes: i.Projection.NonKeyAttributes}
}

// literal returns an error if a named property contains an intrinsic function,
// which decoding would silently drop.
func literal(properties *yaml.Node, names ...string) error {
	for i := 0; i+1 < len(properties.Content); i += 2 {
		name := properties.Content[i].Value
		for _, n := range names {
			if n != name {
				continue
			}
			if tag := intrinsic(properties.Content[i+1]); tag != "" {
				return fmt.Errorf("%s holds %s, which a test cannot resolve", name, tag)
			}
		}
	}
	return nil
}

func intrinsic(node *yaml.Node) string {
	if strings.HasPrefix(node.Tag, "!") && !strings.HasPrefix(node.Tag, "!!") {
		return node.Tag
	}
	for _, child := range node.Content {
		if tag := intrinsic(child); tag != "" {
			return tag
		}
	}
	return ""
}
