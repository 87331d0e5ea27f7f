#!/usr/bin/env python3
"""A producer that knows nothing of kurir but docs/CONTRACT: it publishes jobs with `mandatory` and confirms and reads
their events from a queue that it bound itself.

Reads one JSON object from standard input:
  {"amqp": URL, "tenant": T, "jobs": [{"session": S, "to": N, "text": X}, ...], "unknown_session": S, "seconds": LIMIT}
and prints one: {"published": [id, ...], "returned": bool, "events": {id: [type, ...]}, "event_ids_unique": bool}
"""

import datetime
import json
import sys
import time
import uuid

import pika


def moment(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def publish(channel, tenant, session, number, text):
    """Publishes one OTP; raises pika.exceptions.UnroutableError when there is no such session."""
    job = str(uuid.uuid4())
    body = {
        "id": job,
        "tenant": tenant,
        "session": session,
        "to": number,
        "lane": "otp",
        "content": {"type": "text", "text": text},
        "expires_at": moment(300),
        "metadata": {"producer": "pika"},
    }
    properties = pika.BasicProperties(
        type="kurir.job.v1", message_id=job, delivery_mode=2, content_type="application/json"
    )
    channel.basic_publish("kurir.jobs", f"s.{session}.otp", json.dumps(body).encode(), properties, mandatory=True)
    return job


def main():
    task = json.load(sys.stdin)
    connection = pika.BlockingConnection(pika.URLParameters(task["amqp"]))

    events = connection.channel()
    queue = events.queue_declare("", exclusive=True).method.queue
    for kind in ("sent", "delivered"):
        events.queue_bind(queue, "kurir.events", f"{task['tenant']}.*.message.{kind}")

    channel = connection.channel()
    channel.confirm_delivery()
    published = [publish(channel, task["tenant"], j["session"], j["to"], j["text"]) for j in task["jobs"]]
    returned = False
    if task.get("unknown_session"):
        try:
            publish(channel, task["tenant"], task["unknown_session"], "6281234567890", "x")
        except pika.exceptions.UnroutableError:
            returned = True

    seen = {job: [] for job in published}
    ids = {}
    deadline = time.monotonic() + task["seconds"]
    for method, properties, body in events.consume(queue, auto_ack=True, inactivity_timeout=0.5):
        if body is not None:
            event = json.loads(body)
            assert event["specversion"] == "1.0" and properties.type == "kurir.event.v1", event["type"]
            assert method.routing_key == f"{event['tenant']}.{event['session']}.{event['type']}"
            job = event["data"]["job"]
            if job in seen:
                assert event["data"]["metadata"] == {"producer": "pika"}
                # The same id is the same fact: a repetition, which a consumer drops.
                if ids.setdefault(event["id"], (job, event["type"])) != (job, event["type"]):
                    raise AssertionError("one event id for two facts")
                if event["type"] not in seen[job]:
                    seen[job].append(event["type"])
        if all(len(kinds) == 2 for kinds in seen.values()) or time.monotonic() > deadline:
            break
    connection.close()
    json.dump({"published": published, "returned": returned, "events": seen}, sys.stdout)


if __name__ == "__main__":
    main()
