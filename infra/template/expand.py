"""Reads template.yaml and prints the CloudFormation that SAM makes of it, as JSON.

    .cache/venv-ministack/bin/python infra/template/expand.py < template.yaml

Works without an account: code locations are replaced, nothing is called.
"""

import json
import sys

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

template = yaml_parse(sys.stdin.read())
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = "s3://bucket/key"

session = boto3.session.Session(region_name="eu-central-1")
expanded = Translator({}, Parser(), boto_session=session).translate(template, parameter_values={})
json.dump(expanded, sys.stdout, indent=1, sort_keys=True)
