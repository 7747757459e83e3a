"""The bus tells every listener, forgets what is old, and leaves no gap between the past and what comes."""

from runtime.events import KEPT, Event, Events


def test_a_listener_hears_what_comes_and_is_given_what_was() -> None:
    events, heard = Events(), list[str]()
    events.publish(Event("container", "create", "a"))
    with events.listening(lambda event: heard.append(event.action)) as past:
        events.publish(Event("container", "start", "a"))
        assert [event.action for event in past] == ["create"]
    events.publish(Event("container", "die", "a"))
    assert heard == ["start"]


def test_only_the_last_are_kept() -> None:
    events = Events()
    for number in range(KEPT + 5):
        events.publish(Event("image", "pull", str(number)))
    with events.listening(lambda event: None) as past:
        assert [past[0].actor, len(past)] == ["5", KEPT]


def test_a_container_s_event_has_the_fields_of_older_clients() -> None:
    document = Event("container", "die", "a", {"image": "nginx", "exitCode": "3"}, 1_500_000_000).document()
    assert document["status"] == "die" and document["id"] == "a" and document["from"] == "nginx"
    assert (document["time"], document["timeNano"]) == (1, 1_500_000_000)
    assert document["Actor"] == {"ID": "a", "Attributes": {"image": "nginx", "exitCode": "3"}}


def test_a_network_s_event_has_not() -> None:
    assert "status" not in Event("network", "create", "n").document()
