"""Extensions that come with Erlen. They use its public names alone, and the core knows nothing of them."""
