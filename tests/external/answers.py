"""Holds every answer against botocore's service models: known members alone, required ones there, each of its type and form.

botocore itself skips what it does not know, so the answers are read as they came.
"""

import json
import re
import xml.etree.ElementTree as xml

# What AWS answers although its models do not have it.
BEYOND_THE_MODELS = {
    ("lambda:UpdateFunctionConfiguration.LastUpdateStatusReasonCode", "Creating"),
    ("lambda:UpdateFunctionCode.LastUpdateStatusReasonCode", "Creating"),
    ("DeleteIntegration", "ConflictException"),
    ("iam:SimulatePrincipalPolicy.EvaluationResults.MatchedStatements.SourcePolicyType", "IAM Policy"),
    ("iam:SimulatePrincipalPolicy.EvaluationResults.ResourceSpecificResults.MatchedStatements.SourcePolicyType", "IAM Policy"),
}
# Declared by no operation, though every one may answer with them.
COMMON_ERRORS = {"AccessDenied", "AccessDeniedException", "ValidationException", "InvalidSignatureException", "UnrecognizedClientException", "ThrottlingException"}


class Answers:
    """Watches a client's answers. `wrong` has what was found, `seen` the operations that answered."""

    def __init__(self):
        self.wrong, self.seen = [], set()

    def watch(self, client):
        client.meta.events.register("before-parse", self._answer)
        client.meta.events.register("after-call", self._after)
        return client

    def _answer(self, operation_model, response_dict, **_):
        if response_dict["status_code"] >= 300:
            return
        name = f"{operation_model.service_model.service_name}:{operation_model.name}"
        self.seen.add(name)
        wanted = operation_model.http.get("responseCode", 200)
        shape = operation_model.output_shape
        free = shape and any(member.serialization.get("location") == "statusCode" for member in shape.members.values())
        if response_dict["status_code"] != wanted and not free:
            self._say(name, f"status {response_dict['status_code']}, not {wanted}")
        if operation_model.service_model.protocol == "query":
            self._query(name, operation_model, shape, response_dict["body"])
        else:
            self._json(name, shape, response_dict)

    def _after(self, http_response, parsed, model, **_):
        if http_response.status_code < 300:
            return
        code = parsed.get("Error", {}).get("Code")
        declared = {shape.error_code for shape in model.error_shapes}
        if code not in declared | COMMON_ERRORS and (model.name, code) not in BEYOND_THE_MODELS:
            self._say(model.name, f"error `{code}` with status {http_response.status_code} is not declared: {sorted(declared)}")

    def _say(self, where, what):
        self.wrong.append(f"{where}: {what}")

    def _json(self, name, shape, response):
        body = response["body"]
        members = dict(shape.members) if shape else {}
        if any(member.serialization.get("streaming") for member in members.values()):
            return
        in_body = {key: member for key, member in members.items() if "location" not in member.serialization}
        if not body:
            if in_body:
                self._say(name, "no body")
            return
        document = json.loads(body)
        if not in_body and document:
            self._say(name, f"a body where there is none: {document}")
        elif shape:
            self._structure(name, shape, in_body, document)

    def _structure(self, path, shape, members, value):
        if not isinstance(value, dict):
            return self._say(path, f"{value!r} is not an object")
        wire = {member.serialization.get("name", key): (key, member) for key, member in members.items()}
        for key, inner in value.items():
            if key not in wire:
                self._say(path, f"unknown member `{key}`")
            elif inner is not None:
                self._value(f"{path}.{key}", wire[key][1], inner)
        for key, (own, _) in wire.items():
            if own in shape.required_members and value.get(key) is None:
                self._say(path, f"`{key}` is required and missing")

    def _value(self, path, shape, value):
        kind = shape.type_name
        if kind == "structure":
            return self._structure(path, shape, shape.members, value)
        if kind == "list":
            if not isinstance(value, list):
                return self._say(path, f"{value!r} is not a list")
            for index, inner in enumerate(value):
                self._value(f"{path}[{index}]", shape.member, inner)
        elif kind == "map":
            if not isinstance(value, dict):
                return self._say(path, f"{value!r} is not a map")
            for key, inner in value.items():
                self._value(f"{path}<key>", shape.key, key)
                self._value(f"{path}[{key}]", shape.value, inner)
        else:
            self._scalar(path, shape, value)

    def _scalar(self, path, shape, value):
        kind = shape.type_name
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = {
            "string": isinstance(value, str),
            "character": isinstance(value, str),
            "blob": isinstance(value, str),
            "boolean": isinstance(value, bool),
            "integer": number and value == int(value),
            "long": number and value == int(value),
            "float": number,
            "double": number,
            "timestamp": isinstance(value, str) if shape.serialization.get("timestampFormat") == "iso8601" else number,
        }[kind]
        if not fits:
            return self._say(path, f"{value!r} is not a {kind}")
        self._form(path, shape, value)

    def _form(self, path, shape, value):
        allowed = getattr(shape, "enum", None)
        if allowed and value not in allowed and (re.sub(r"\[\d+]", "", path), value) not in BEYOND_THE_MODELS:
            self._say(path, f"{value!r} is none of {allowed}")
        if shape.type_name == "string":
            meta = shape.metadata
            if not meta.get("min", 0) <= len(value) <= meta.get("max", len(value)):
                self._say(path, f"{value!r} is too short or too long")
            pattern = meta.get("pattern")
            try:
                if pattern and not re.search(f"^(?:{pattern})$", value, re.DOTALL):
                    self._say(path, f"{value!r} does not match {pattern}")
            except re.error:
                pass  # written for another dialect
        elif shape.type_name == "timestamp" and isinstance(value, str) and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value):
            self._say(path, f"{value!r} is not an ISO 8601 time")

    def _query(self, name, model, shape, body):
        space = f"{{{model.metadata['xmlNamespace']}}}"
        root = xml.fromstring(body)
        if root.tag != f"{space}{model.name}Response":
            self._say(name, f"the root is {root.tag}")
        if root.find(f"{space}ResponseMetadata/{space}RequestId") is None:
            self._say(name, "no RequestId")
        if shape and shape.members:
            result = root.find(f"{space}{shape.serialization.get('resultWrapper', model.name + 'Result')}")
            if result is None:
                return self._say(name, "no result")
            self._xml(name, shape, result, space)

    def _xml(self, path, shape, element, space):
        kind = shape.type_name
        if kind == "structure":
            wire = {member.serialization.get("name", key): (key, member) for key, member in shape.members.items()}
            for child in element:
                tag = child.tag.removeprefix(space)
                if tag not in wire:
                    self._say(path, f"unknown element `{tag}`")
                else:
                    self._xml(f"{path}.{tag}", wire[tag][1], child, space)
            for tag, (own, _) in wire.items():
                if own in shape.required_members and element.find(space + tag) is None:
                    self._say(path, f"`{tag}` is required and missing")
        elif kind == "list":
            for index, child in enumerate(element):
                if child.tag != space + shape.member.serialization.get("name", "member"):
                    self._say(path, f"{child.tag} in a list")
                self._xml(f"{path}[{index}]", shape.member, child, space)
        elif kind == "map":
            return
        else:
            text = element.text or ""
            if kind == "timestamp" and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text):
                self._say(path, f"{text!r} is not an ISO 8601 time")
            elif kind == "boolean" and text not in ("true", "false"):
                self._say(path, f"{text!r} is not a boolean")
            elif kind == "string":
                self._form(path, shape, text)
