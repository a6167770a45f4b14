"""What comes after a fit: each file answers one question from estimates and design, never from the public class."""
