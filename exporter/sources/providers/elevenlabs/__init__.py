"""ElevenLabs: characters left, and costs by day where the workspace is billed by cost."""
